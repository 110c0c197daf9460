"""Calls that a place must not make: clocks, threads, sockets and files below layer 3, and signs of unfinished work."""

import fnmatch
import re

from .layers import LAYERS, room_of

RULES = {"call", "unfinished", "sleep"}

# What may not be done below layer 3: (family, prefix or pair of a path). A prefix begins with its crate.
FORBIDDEN = (
    ("clock", "std::time::Instant"),
    ("clock", "std::time::SystemTime"),
    ("clock", "std::time::UNIX_EPOCH"),
    ("clock", "Instant::now"),
    ("clock", "SystemTime::*"),
    ("clock", "Timestamp::now"),
    ("clock", "Zoned::now"),
    ("clock", "TimeZone::system"),
    ("thread", "std::thread"),
    ("thread", "thread::*"),
    ("socket", "std::net"),
    ("socket", "std::os::unix::net"),
    ("socket", "TcpStream::*"),
    ("socket", "TcpListener::*"),
    ("socket", "UdpSocket::*"),
    ("file", "std::fs"),
    ("file", "fs::*"),
    ("file", "File::*"),
    ("file", "OpenOptions::*"),
    ("process", "std::env"),
    ("process", "env::*"),
    ("process", "std::process"),
    ("process", "process::*"),
    ("entropy", "getrandom"),
    ("entropy", "rand"),
    ("entropy", "RandomState::*"),
    ("entropy", "std::collections::hash_map::RandomState"),
    ("entropy", "std::hash::RandomState"),
    ("entropy", "Rng::new"),
    ("entropy", "Rng::default"),
)

ADVICE = {
    "clock": "take `now` (model::Instant, model::WallTime) or the zone from the caller",
    "thread": "threads live in src/io; give it an output that asks for the work",
    "socket": "sockets live in src/io; an address as a plain value is core::net::SocketAddr",
    "file": "files are opened in src/io and src/cli; take and give bytes, io::Read or io::Write",
    "process": "arguments, environment and processes live in src/cli and src/io; take the value from the caller",
    "entropy": "take a seed, and make fastrand::Rng::with_seed of it",
}

# Files that may do some of it all the same, and why.
EXCEPTIONS = (
    ("src/store/open.rs", {"file", "process"}, "makes the data directory and locks it; the lock names its process"),
    ("src/store/damage.rs", {"file"}, "moves a damaged SQLite file aside whole"),
    ("src/store/reader/mod.rs", {"file"}, "looks whether SQLite's log lies beside a store in a read-only directory"),
    ("sensors/src/host.rs", set(ADVICE), "host channels read /proc and /sys"),
    ("sensors/src/host/*", set(ADVICE), "host channels read /proc and /sys"),
    ("sensors/src/bus*.rs", set(ADVICE), "opens the bus's device file"),
)

UNFINISHED_CODE = re.compile(r"\b(?:todo|unimplemented|dbg)!|#\[ignore\b")
UNFINISHED_WORD = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
BARE_SLEEP = re.compile(r"(?<![.\w])(?<!fn )sleep\s*\(")


def check(tree):
    """Looks at every Rust file; most closely at those below layer 3."""
    for source in tree.rust.values():
        check_unfinished(tree, source)
    for source in tree.product():
        for at in sleeps(source):
            what = "sleeping; wait for an event with a deadline, and drive tests by virtual time"
            tree.find(source.path, source.line_of(at), "sleep", what)
        if is_pure(source.path):
            check_pure(tree, source)


def is_pure(path):
    """Whether the file lies below layer 3, where nothing touches the world."""
    return LAYERS.get(room_of(path), 3) < 3 or path.startswith("sensors/src/")


def check_pure(tree, source):
    """No call into the world outside of tests, but for the exceptions."""
    allowed = set()
    for pattern, families, _reason in EXCEPTIONS:
        if fnmatch.fnmatchcase(source.path, pattern):
            allowed |= families
    for at, words in source.paths():
        family = family_of(words)
        if family and family not in allowed and not source.in_test(at):
            what = f"`{'::'.join(words)}` ({family}) below layer 3; {ADVICE[family]}"
            tree.find(source.path, source.line_of(at), "call", what)


def family_of(words):
    """Which forbidden family a path belongs to, or None."""
    # Of `fastrand` only the seeded generator: its free functions draw from a global one that seeds itself.
    if words[0] == "fastrand" and words[1:2] not in ([], ["Rng"], ["self"]):
        return "entropy"
    pairs = list(zip(words, words[1:]))
    for family, pattern in FORBIDDEN:
        parts = pattern.split("::")
        if parts[-1] == "*":
            if words[0] == parts[0] and len(words) > 1:
                return family
        elif words[: len(parts)] == parts or (len(parts) == 2 and tuple(parts) in pairs):
            return family
    return None


def check_unfinished(tree, source):
    """Nothing is left for later, and no test is left out."""
    for pattern, text in ((UNFINISHED_CODE, source.code), (UNFINISHED_WORD, source.text)):
        for match in pattern.finditer(text):
            what = f"`{match.group()}`; finish it, or take it out and write an issue"
            tree.find(source.path, source.line_of(match.start()), "unfinished", what)


def sleeps(source):
    """The places where a thread is put to sleep."""
    for at, words in source.paths():
        if ("thread", "sleep") in zip(words, words[1:]):
            yield at
    for match in BARE_SLEEP.finditer(source.code):
        if not source.code[: match.start()].rstrip().endswith("::"):
            yield match.start()
