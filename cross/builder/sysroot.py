"""Rust's standard library for a target, built from Debian's source package with Debian's compiler.

Debian has the compiler for all targets and the library for its own only. `-Zbuild-std` makes it, once per target and
compiler; then the project is built without any unstable flag, by `--sysroot`.
"""

import os
import pathlib
import shutil

from . import cache
from .say import Failed, output, run

SOURCE = pathlib.Path("/usr/lib/rustlib/src/rust/library")
CRATES = "std,panic_unwind,panic_abort,test"
MANIFEST = """\
[package]
name = "empty"
version = "0.0.0"
edition = "2024"

[lib]
path = "empty.rs"

[workspace]
"""
# The crate that aborts must itself be compiled to abort, or nothing with `panic = "abort"` can be linked with it; the
# others unwind, since tests need that. A profile cannot say so for one crate.
WRAPPER = """\
#!/bin/sh
set -eu
case " $* " in
*" --crate-name panic_abort "*) exec "$@" -C panic=abort ;;
esac
exec "$@"
"""


def of(target, programs):
    """The folder to give to `--sysroot`."""
    version = output([programs["RUSTC"], "--version", "--verbose"], "install Debian's rustc-web")
    release = version.split()[1]
    name = f"sysroot-{target.triple}-{release}-{cache.key(version, SOURCE / 'Cargo.lock', pathlib.Path(__file__))}"
    what = f"Rust's standard library for {target.triple}, a minute or two"
    return cache.folder(name, what, lambda folder: make(folder, target, programs))


def make(folder, target, programs):
    """Builds it in a folder inside, which then goes."""
    work = folder / "build"
    work.mkdir()
    (work / "Cargo.toml").write_text(MANIFEST, encoding="utf-8")
    (work / "empty.rs").touch()
    wrapper = work / "wrapper"
    wrapper.write_text(WRAPPER, encoding="utf-8")
    wrapper.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO_", "RUST"))}
    if "CARGO_HOME" in os.environ:
        environment["CARGO_HOME"] = os.environ["CARGO_HOME"]
    environment |= programs | {
        "PATH": f"/usr/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "CARGO_TARGET_DIR": str(work / "target"),
        # Link-time optimisation needs the library's bitcode.
        "RUSTFLAGS": "-C embed-bitcode=yes",
        "RUSTC_WRAPPER": str(wrapper),
        "RUSTC_BOOTSTRAP": "1",
    }
    build = [programs["CARGO"], "build", f"-Zbuild-std={CRATES}", "--release", "--target", target.triple]
    run(build, "crates.io must be reachable once, for the library's own crates", cwd=work, env=environment)
    libraries = folder / "lib" / "rustlib" / target.triple / "lib"
    libraries.mkdir(parents=True)
    for built in sorted((work / "target" / target.triple / "release" / "deps").glob("lib*.r*")):
        if built.suffix in (".rlib", ".rmeta") and not built.name.startswith("libempty-"):
            shutil.copy2(built, libraries)
    if not any(libraries.glob("libpanic_abort-*.rlib")):
        raise Failed(f"{CRATES} was built, and no panic_abort is there; has Debian changed its source package?")
    shutil.rmtree(work)
