"""Every dependency is a choice on record, and every page of docs/ can be found."""

import posixpath
import re

RULES = {"dependency", "doc-link"}

MANIFESTS = ("Cargo.toml", "sensors/Cargo.toml")
RECORD = "docs/dependencies.md"
INDEXES = ("README.md", "docs/ARCHITECTURE.md")

TABLE = re.compile(r"\[(?:target\..+\.)?dependencies(?:\.(?P<crate>[\w-]+))?\]")
ENTRY = re.compile(r"(?P<crate>[\w-]+)\s*[.=]")
# [text](target), <img src="target">, and [name]: target at the foot of a page.
LINK = re.compile(
    r"""\]\(\s*<?([^)\s>#?]+)|(?:src|href|srcset)="([^"#?]+)|^\[[^\]]+\]:\s*<?([^\s>#?]+)""",
    re.MULTILINE,
)


def check(tree):
    """Looks at the manifests and at docs/."""
    check_dependencies(tree)
    check_links(tree)


def check_dependencies(tree):
    """Each crate of [dependencies] stands, as code, in the record."""
    needed = [(path, *entry) for path in MANIFESTS for entry in dependencies(tree.texts.get(path, ""))]
    record = tree.texts.get(RECORD)
    if record is None:
        if needed:
            what = f"missing; name in it each of {len(needed)} dependencies: what for, at what cost, instead of what"
            tree.find(RECORD, 1, "dependency", what)
        return
    for path, number, crate in needed:
        if f"`{crate}`" not in record:
            what = f"{RECORD} does not name `{crate}`; say there what it is for, what it costs and what was passed over"
            tree.find(path, number, "dependency", what)


def dependencies(manifest):
    """Line and name of each dependency from elsewhere; crates of this workspace have a path."""
    inside = False
    for number, line in enumerate(manifest.split("\n"), start=1):
        if line.startswith("["):
            table = TABLE.match(line)
            inside = bool(table) and not table.group("crate")
            if table and table.group("crate"):
                yield number, table.group("crate")
        elif inside and (entry := ENTRY.match(line)) and not re.search(r"\bpath\s*=", line):
            yield number, entry.group("crate")


def check_links(tree):
    """Each page of docs/ is linked from an index; each picture from any page."""
    from_indexes = set().union(*(links(tree, path) for path in INDEXES))
    from_pages = set().union(*(links(tree, path) for path in tree.texts if path.endswith(".md")))
    for path in sorted(tree.all_paths):
        if not path.startswith("docs/"):
            continue
        is_page = path.endswith(".md")
        if path not in (from_indexes if is_page else from_pages):
            where = " or ".join(INDEXES) if is_page else "any page"
            tree.find(path, 1, "doc-link", f"not linked from {where}; link it where a reader would look for it")


def links(tree, page):
    """The files to which a page links, as paths in the tree."""
    targets = (next(filter(None, groups)) for groups in LINK.findall(tree.texts.get(page, "")))
    return {posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) for target in targets}
