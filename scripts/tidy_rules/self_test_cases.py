"""The trees of the self-test: a clean one, changes that break it, and changes that look bad and are sound.

A text that a rule of text.py would find in this very file is put together from two halves. The lists are not those of
the rules, so that a rule cannot lose an entry unseen.
"""

TESTS = "#[cfg(test)]\nmod tests {\n"


def module(*lines):
    """A Rust file with a header; the first of `lines` is its line 3."""
    return "\n".join(("//! A room of the made-up tree.", "", *lines, ""))


def long_file(count, header="//! Long."):
    """A Rust file of `count` lines of code."""
    return header + "\n" + "".join(f"const C{number}: u8 = 0;\n" for number in range(count))


def long_function(count, before="", after=""):
    """A Rust file whose function `f`, which begins in line 3, has `count` lines."""
    return module(before + "fn f() {", *["    g();"] * (count - 2), "}" + after)


ARCHITECTURE = "Pages: [dependencies](dependencies.md), [store](store.md#schema).\n"
FORBIDDEN = (
    "Instant::now", "std::time::Instant::elapsed", "SystemTime::now", "std::time::SystemTime::now", "Zoned::now",
    "std::time::UNIX_EPOCH.elapsed", "jiff::Timestamp::now", "jiff::tz::TimeZone::system", "thread::spawn",
    "std::thread::spawn", "std::net::lookup", "std::os::unix::net::f", "TcpStream::connect", "TcpListener::bind",
    "UdpSocket::bind", "fs::read", "std::fs::read", "File::open", "OpenOptions::new", "env::var", "std::env::var",
    "process::exit", "std::process::exit", "getrandom::fill", "rand::random", "RandomState::new",
    "std::hash::RandomState", "std::collections::hash_map::RandomState", "fastrand::u64", "Rng::new", "Rng::default",
    "fastrand::Rng::new",
)

REGISTRIES = (
    "pip install --index" + "-url x", "pip install --extra-index" + "-url x", "replace-with" + ' = "mirror"',
    "https://index." + "crates.io/", "https://static." + "crates.io/", "https://pypi.org" + "/simple",
    "https://files." + "pythonhosted.org/", "https://registry." + "npmjs.org/", "https://proxy." + "golang.org",
)

EXECUTABLE = {"scripts/run", "scripts/lax"}

CLEAN = {
    ".gitignore": "/target\n",
    "target/debug/junk.rs": "todo!()  \n",
    "Cargo.toml": '[dependencies]\nserde = "1"\npisink-sensors = { path = "sensors" }\n',
    "sensors/Cargo.toml": '[dependencies]\nembedded-hal = "1.0"\n',
    "Cargo.lock": 'source = "registry+https://github.com/rust-lang/crates.io-index"\n',
    "README.md": "Read [how it is built](docs/ARCHITECTURE.md).\n",
    "docs/ARCHITECTURE.md": ARCHITECTURE,
    "docs/dependencies.md": "`serde` and `embedded-hal`.\n",
    "docs/store.md": 'The file: <img src="store.png">\n',
    "docs/store.png": b"\x89PNG\0",
    "src/lib.rs": module("pub mod model;"),
    "src/main.rs": module("use anyhow::Context;", "fn main() {", "    pisink::cli::run();", "}"),
    "src/model/mod.rs": module("mod time;", "pub use time::Instant;"),
    "src/model/time.rs": module("use std::time::Duration;"),
    "src/wire/mod.rs": module("use crate::model::Instant;"),
    "src/proto/mod.rs": module("mod primary;", "use super::model::Instant;"),
    "src/proto/primary.rs": module("use super::super::model;", "use super::Poll;", "use core::net::SocketAddr;"),
    "src/store/mod.rs": module("use rusqlite::{self, Connection};"),
    "src/store/open.rs": module("use std::fs::{self, File};", "fn f() { File::open(fs::X, std::process::id()); }"),
    "src/store/reader/mod.rs": module("fn f() { std::fs::metadata(0); }"),
    "src/store/damage.rs": module("use std::fs::rename;"),
    "src/view/mod.rs": module("use plotters::prelude::*;", "use tiny_skia::Pixmap;"),
    "src/node.rs": module("use crate::{model, proto::primary, store, view, wire::{self as w, Line}};"),
    "src/io/mod.rs": module(
        "use std::{thread, time::{Instant, SystemTime}};", "use mio::Poll;", "use crate::node::Node;",
        "use rustix::net::socket;", "use pisink_sensors::chip;",
    ),
    "src/cli/mod.rs": module("use clap::Parser;", "use crate::{io, sim};", "use std::{env, fs};"),
    "sensors/src/lib.rs": module("pub mod chip;", "mod host;"),
    "sensors/src/host.rs": module("use rustix::fs::statvfs;", "use std::fs;"),
    "sensors/src/host/memory.rs": module("use std::fs;"),
    "sensors/src/bus.rs": module("use std::fs;"),
    "sensors/src/bus_rppal.rs": module("use rppal::i2c::I2c;"),
    "scripts/run": "#!/usr/bin/env bash\n# Runs.\nset -euo pipefail\n",
}

# Where and by what rule the change is found, and the change.
BROKEN = [
    # Layers.
    ("src/model/time.rs:3: layer", {"src/model/time.rs": module("use crate::wire::Line;")}),
    ("src/wire/mod.rs:4: layer", {"src/wire/mod.rs": module("", "use crate::proto::primary;")}),
    ("src/proto/mod.rs:3: layer", {"src/proto/mod.rs": module("use super::store::Store;")}),
    ("src/proto/primary.rs:3: layer", {"src/proto/primary.rs": module("use super::super::view;")}),
    ("src/store/mod.rs:3: layer", {"src/store/mod.rs": module("use crate::{model, io::Poll};")}),
    ("src/view/mod.rs:4: layer", {"src/view/mod.rs": module("fn f() {", "    crate::node::run();", "}")}),
    ("src/view/mod.rs:5: layer", {"src/view/mod.rs": module(TESTS + "    use super::super::store;\n}")}),
    ("src/node.rs:5: layer", {"src/node.rs": module("use crate::{", "    model::{Seq, Value},", "    io,", "};")}),
    ("src/node/tests.rs:3: layer", {"src/node/tests.rs": module("use super::super::sim;")}),
    ("src/io/mod.rs:3: layer", {"src/io/mod.rs": module("use crate::sim;")}),
    ("src/sim/mod.rs:3: layer", {"src/sim/mod.rs": module("use crate::cli;")}),
    ("src/wire/mod.rs:3: layer", {"src/wire/mod.rs": module("pub(crate) use crate::Reading;")}),
    ("src/extra/mod.rs:1: layer", {"src/extra/mod.rs": module("use crate::model;")}),
    ("sensors/src/lib.rs:3: layer", {"sensors/src/lib.rs": module("use pisink::model;")}),
    (
        "sensors/Cargo.toml:2: layer",
        {"sensors/Cargo.toml": '[dependencies]\npisink = { path = ".." }\nembedded-hal = "1.0"\n'},
    ),
    # Crates in their places.
    ("src/node.rs:3: crate-place", {"src/node.rs": module("use mio::Token;")}),
    ("src/cli/mod.rs:3: crate-place", {"src/cli/mod.rs": module("use signal_hook_mio::v1_0::Signals;")}),
    ("src/cli/mod.rs:3: crate-place", {"src/cli/mod.rs": module("use signal_hook::flag;")}),
    ("src/cli/mod.rs:4: crate-place", {"src/cli/mod.rs": module("use rustix::fs;", "use rustix::net::bind;")}),
    ("src/proto/mod.rs:3: crate-place", {"src/proto/mod.rs": module("use rustix::time::clock;")}),
    ("src/io/mod.rs:3: crate-place", {"src/io/mod.rs": module("use rusqlite::Connection as Db;")}),
    ("src/io/mod.rs:3: crate-place", {"src/io/mod.rs": module("use rusqlite;")}),
    ("src/cli/mod.rs:3: crate-place", {"src/cli/mod.rs": module("fn f(x: plotters::Font) {}")}),
    ("src/cli/mod.rs:3: crate-place", {"src/cli/mod.rs": module("use plotters_backend::DrawingBackend;")}),
    ("src/cli/mod.rs:3: crate-place", {"src/cli/mod.rs": module("use tiny_skia::Pixmap;")}),
    ("src/io/mod.rs:3: crate-place", {"src/io/mod.rs": module("use ttf_parser::Face;")}),
    ("sensors/src/host.rs:3: crate-place", {"sensors/src/host.rs": module("use rppal::system::DeviceInfo;")}),
    ("src/store/mod.rs:3: crate-place", {"src/store/mod.rs": module("fn f() -> anyhow::Result<()> {", "}")}),
    ("src/io/mod.rs:3: crate-place", {"src/io/mod.rs": module("#[derive(clap::Parser)]", "struct S;")}),
    ("src/io/mod.rs:3: crate-place", {"src/io/mod.rs": module("use indicatif::ProgressBar;")}),
    ("src/io/mod.rs:3: crate-place", {"src/io/mod.rs": module("use toml::Table;")}),
    ("src/node.rs:3: crate-place", {"src/node.rs": module("use pisink_sensors::chip::Chip;")}),
    # Calls below layer 3.
    *(("src/view/mod.rs:3: call", {"src/view/mod.rs": module(f"fn f() {{ {path}(0); }}")}) for path in FORBIDDEN),
    ("src/model/time.rs:3: call", {"src/model/time.rs": module("use std::time::{Duration, Instant};")}),
    ("src/proto/mod.rs:3: call", {"src/proto/mod.rs": module("use std::{collections::BTreeMap, net::TcpStream};")}),
    ("src/store/mod.rs:3: call", {"src/store/mod.rs": module("use std::{fmt, fs::{self}};")}),
    ("src/wire/mod.rs:3: call", {"src/wire/mod.rs": module("use getrandom::fill;")}),
    ("src/node/clock.rs:4: call", {"src/node/clock.rs": module("fn f() {", "    let now = Instant::now();", "}")}),
    ("src/store/damage.rs:3: call", {"src/store/damage.rs": module("use std::net::TcpStream;")}),
    ("sensors/src/chip.rs:3: call", {"sensors/src/chip.rs": module("use std::time::Instant;")}),
    ("src/store/open.rs:3: call", {"src/store/open.rs": module("use std::thread;")}),
    (
        "src/node.rs:7: call",
        {"src/node.rs": module(TESTS + "    use std::fs;\n}", "fn f() { fs::read(0); }")},
    ),
    # Unfinished work, and sleep.
    ("src/io/mod.rs:3: unfinished", {"src/io/mod.rs": module("fn f() { todo!() }")}),
    ("src/io/mod.rs:3: unfinished", {"src/io/mod.rs": module("fn f() { unimplemented!() }")}),
    ("src/io/mod.rs:3: unfinished", {"src/io/mod.rs": module("fn f() { dbg!(1); }")}),
    ("tests/a.rs:2: unfinished", {"tests/a.rs": '#[test]\n#[ignore = "slow"]\nfn f() {}\n'}),
    ("src/io/mod.rs:3: unfinished", {"src/io/mod.rs": module("// TODO: more")}),
    ("src/io/mod.rs:3: unfinished", {"src/io/mod.rs": module('const F: &str = "FIXME";')}),
    ("src/io/mod.rs:3: unfinished", {"src/io/mod.rs": module("/* XXX */")}),
    ("src/io/mod.rs:3: sleep", {"src/io/mod.rs": module("fn f() { std::thread::sleep(T); }")}),
    ("src/io/mod.rs:5: sleep", {"src/io/mod.rs": module(TESTS + "    fn f() { thread::sleep(T); }\n}")}),
    ("src/cli/mod.rs:3: sleep", {"src/cli/mod.rs": module("fn f() { sleep(T); }")}),
    # Sizes and openings.
    ("src/io/mod.rs:402: file-length", {"src/io/mod.rs": long_file(401)}),
    ("src/io/mod.rs:3: function-length", {"src/io/mod.rs": long_function(61)}),
    ("src/io/mod.rs:3: line-length", {"src/io/mod.rs": module("// " + "x" * 118)}),
    ("src/io/mod.rs:1: header", {"src/io/mod.rs": "use crate::model;\n"}),
    ("src/io/mod.rs:1: header", {"src/io/mod.rs": "//! io\n"}),
    ("src/io/mod.rs:1: header", {"src/io/mod.rs": ""}),
    # Text.
    ("README.md:1: whitespace", {"README.md": "[a](docs/ARCHITECTURE.md) \n"}),
    ("README.md:1: final-newline", {"README.md": "[a](docs/ARCHITECTURE.md)"}),
    ("README.md:3: final-newline", {"README.md": "[a](docs/ARCHITECTURE.md)\n\n"}),
    ("scripts/lax:1: shell", {"scripts/lax": "#!/bin/sh\nset -e\n"}),
    ("scripts/flat:1: shell", {"scripts/flat": "#!/bin/bash\nset -eu\n"}),
    ("notes.txt:2: machine-path", {"notes.txt": "See\n/ro" + "ot/notes\n"}),
    ("notes.txt:1: machine-path", {"notes.txt": "in `/wo" + "rk/tree`\n"}),
    ("ci.toml:1: registry", {"ci.toml": 'registry = "sparse' + '+https://crates.example.org/"\n'}),
    ("Cargo.lock:1: registry", {"Cargo.lock": 'source = "registry' + '+https://crates.example.org"\n'}),
    *(("scripts/run:4: registry", {"scripts/run": f"#!/bin/sh\n#\nset -eu\n{host}\n"}) for host in REGISTRIES),
    # Docs.
    ("Cargo.toml:3: dependency", {"Cargo.toml": '[dependencies]\nserde = "1"\nlog = { version = "1" }\n'}),
    ("Cargo.toml:2: dependency", {"Cargo.toml": "[target.'cfg(unix)'.dependencies]\nlibc.version = \"1\"\n"}),
    ("sensors/Cargo.toml:1: dependency", {"sensors/Cargo.toml": '[dependencies.log]\nversion = "1"\n'}),
    ("docs/new.md:1: doc-link", {"docs/new.md": "New.\n"}),
    ("docs/new.png:1: doc-link", {"docs/new.png": b"\0"}),
    (
        "docs/dependencies.md:1: dependency",
        {"docs/dependencies.md": None, "docs/ARCHITECTURE.md": ARCHITECTURE},
    ),
]

# What looks like a broken rule and is none.
SOUND = [
    (
        "comments and strings",
        {
            "src/node.rs": module(
                "/* /* Instant::now() */ std::fs */", 'const A: &str = "crate::io \\" File::open";',
                'const B: &str = r#"std::net " thread::spawn"#;', "const C: char = '\"';", "// crate::io::x",
            )
        },
    ),
    ("lifetimes", {"src/node.rs": module("fn f<'a>(x: &'a str) -> &'a str {", "    x", "}", "// File::x '")}),
    (
        "the world in tests",
        {
            "src/node.rs": module(TESTS + "    use std::{fs, thread, time::Instant};\n}"),
            "src/proto/primary.rs": module("#[cfg(test)]", "mod bench;"),
            "src/proto/primary/bench.rs": module("use std::time::Instant;"),
            "src/wire/tests.rs": module("use std::fs::File;"),
            "src/wire/line_tests.rs": module("use std::net::TcpStream;"),
        },
    ),
    (
        "a test file declared by path",
        {
            "src/proto/primary.rs": module("#[cfg(test)]", '#[path = "primary_tests.rs"]', "mod tests;"),
            "src/proto/primary_tests.rs": module("use super::super::Poll;"),
        },
    ),
    ("our own Instant", {"src/proto/mod.rs": module("use crate::model::Instant;", "const Z: X = Instant::ZERO;")}),
    ("a seeded generator", {"src/proto/mod.rs": module("fn f() {", "    fastrand::Rng::with_seed(1);", "}")}),
    ("a chip that sleeps", {"sensors/src/chip.rs": module("fn sleep() {", "    self.sleep();", "}")}),
    ("a long file with its reason", {"src/io/mod.rs": long_file(401, "//! Long. Length: one table.")}),
    (
        "long tests",
        {
            "src/io/mod.rs": module(TESTS + "    fn f() {\n" + "        g();\n" * 500 + "    }\n}"),
            "src/io/tests.rs": long_file(500),
        },
    ),
    ("tests beside need no opening", {"src/io/tests.rs": "use super::*;\n", "src/io/web_tests.rs": "use super::*;\n"}),
    ("a line of 120", {"src/io/mod.rs": module("// " + "x" * 117)}),
    ("a function of a screen", {"src/io/mod.rs": long_function(60)}),
    ("a function in tests", {"tests/a.rs": long_function(99)}),
    ("comments are no code", {"src/io/mod.rs": long_file(399) + "\n// why\n" * 99}),
    ("words in URLs", {"notes.txt": "https://example.org/work/ and ./work/ and /workshop\n"}),
    ("licences as published", {"LICENSE-MIT": "MIT \n\n", "assets/OFL.txt": "x  \n"}),
    (
        "other kinds of links",
        {
            "README.md": '<a href="docs/new.md">new</a> and [how it is built][how]\n\n[how]: docs/ARCHITECTURE.md\n',
            "docs/new.md": "New.\n",
        },
    ),
    ("another kind of table", {"Cargo.toml": '[dev-dependencies]\nproptest = "1"\n[features]\nx = []\n'}),
]
