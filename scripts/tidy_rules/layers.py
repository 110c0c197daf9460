"""Who may import whom, and which crate is known where."""

import re

RULES = {"layer", "crate-place"}

# A room imports from rooms with a smaller number, and from itself. Rooms of one number are neighbours.
LAYERS = {"model": 0, "wire": 1, "proto": 1, "store": 1, "view": 1, "node": 2, "io": 3, "sim": 3, "cli": 4}
TOP = ("lib", "main")  # see everything; nothing sees them

# Crates that only some places may know: their rooms of src/, or files. A longer path goes before its crate.
UPPER = {"io", "sim", "cli"}
SENSOR_IO = {"sensors/src/host.rs", "sensors/src/bus.rs", "sensors/src/bus_rppal.rs"}
PLACES = {
    "pisink_sensors": UPPER,
    "mio": {"io"},
    "signal_hook": {"io"},
    "signal_hook_mio": {"io"},
    "sd_notify": {"io"},
    "rustix::net": {"io"},
    "rustix": UPPER | {"main"} | SENSOR_IO,
    "rusqlite": {"store"},
    "plotters": {"view"},
    "plotters_backend": {"view"},
    "tiny_skia": {"view"},
    "ttf_parser": {"view"},
    "rppal": {"sensors/src/bus_rppal.rs"},
    "anyhow": UPPER | {"main"},
    "clap": {"cli"},
    "clap_complete": {"cli"},
    "clap_mangen": {"cli"},
    "indicatif": {"cli"},
    "toml": {"cli"},
}


def room_of(path):
    """The room of a file in src/: `src/io/web.rs` and `src/io.rs` are in `io`. None outside src/."""
    if not path.startswith("src/"):
        return None
    return path.split("/")[1].removesuffix(".rs").removesuffix("_tests")


def check(tree):
    """Looks at every path in the product's Rust files."""
    for source in tree.product():
        room = room_of(source.path)
        if room and room not in LAYERS and room not in TOP:
            what = f"room `{room}` has no layer; give it one in LAYERS of scripts/tidy_rules/layers.py"
            tree.find(source.path, 1, "layer", what)
            continue
        home = module_of(tree, source)
        for at, words in source.paths():
            line = source.line_of(at)
            check_place(tree, source.path, room, line, words)
            if room is None and words[0] == "pisink":
                what = f"`{'::'.join(words)}`: sensors knows nothing of pisink; move what both need down into sensors"
                tree.find(source.path, line, "layer", what)
            elif room in LAYERS:
                check_layer(tree, source, room, at, resolve(source, home, at, words))
    manifest = tree.texts.get("sensors/Cargo.toml", "")
    for number, line in enumerate(manifest.split("\n"), start=1):
        if re.match(r"pisink\s*[.=]", line):
            tree.find("sensors/Cargo.toml", number, "layer", "sensors depends on pisink; take the dependency out")


def check_place(tree, path, room, line, words):
    """A crate that has its places is named in one of them."""
    for crate, places in PLACES.items():
        parts = crate.split("::")
        if words[: len(parts)] != parts:
            continue
        if room not in places and path not in places:
            where = ", ".join(sorted(place if "/" in place else f"src/{place}" for place in places))
            what = f"`{crate}` is known only in {where}; go through what that place offers"
            tree.find(path, line, "crate-place", what)
        return


def check_layer(tree, source, room, at, target):
    """`target` (the words after `crate::`, or None for a path that does not begin at the root) lies below `room`."""
    if target is None:
        return
    line = source.line_of(at)
    seen = target[0] if target else "*"
    if seen == room:
        return
    if seen not in LAYERS:
        what = f"`crate::{seen}` names no room; import it from the room that has it"
        tree.find(source.path, line, "layer", what)
    elif LAYERS[seen] >= LAYERS[room]:
        kind = "its neighbour" if LAYERS[seen] == LAYERS[room] else "from above"
        what = (
            f"`{room}` ({LAYERS[room]}) imports `{seen}` ({LAYERS[seen]}), {kind}; pass the value in,"
            " or move what both need into a lower room"
        )
        tree.find(source.path, line, "layer", what)


def resolve(source, home, at, words):
    """The words after `crate::` that `words` at the place `at` mean, or None when they do not begin at the root."""
    if words[0] == "crate":
        return words[1:]
    ups = 0
    while ups < len(words) and words[ups] in ("super", "self"):
        ups += 1
    supers = words[:ups].count("super")
    if supers == 0:
        return None
    inline = [name for name, start, end in source.module_spans if start <= at < end]
    here = home + inline
    return here[: max(0, len(here) - supers)] + words[ups:]


def module_of(tree, source):
    """The module that a file is, as words after `crate::`."""
    parts = source.path.removeprefix("src/").removesuffix(".rs").split("/")
    if parts[-1] == "mod":
        return parts[:-1]
    stem = parts[-1].removesuffix("_tests")
    owner = tree.rust.get(source.path.rpartition("/")[0] + f"/{stem}.rs")
    # `foo_tests.rs` that foo.rs itself declares, by `#[path]`, lies one module deeper than its place shows.
    if stem != parts[-1] and owner and f'"{parts[-1]}.rs"' in owner.text:
        return [*parts[:-1], stem, "tests"]
    return parts
