"""Cargo for a target: rustup's standard library where it can be had, else Debian's compiler with one built here.

Both link by zig, from PyPI. What decides is CROSS_DEBIAN: 1 is Debian, 0 is rustup, and without it rustup is tried
first. Everything that could divert a build is taken out of the environment; what a target needs is put into it, and
never into a file: a `linker` or `runner` in a cargo configuration would hold for other builds too, and beat zig.
"""

import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

from . import cache, sysroot
from .say import Failed, Usage, output, run, say
from .targets import OUT, ROOT

REQUIREMENTS = ROOT / "cross" / "requirements.txt"
# A download of 40 MB on a slow line; when there is no way to rustup's server, it says so itself much sooner.
RUSTUP_MAX_S = 600
# What the user's shell may hold for other builds.
DIVERTING = (
    "CARGO", "RUSTC", "RUSTDOC",
    "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "RUSTDOCFLAGS", "CARGO_ENCODED_RUSTDOCFLAGS",
    "CARGO_BUILD_RUSTDOCFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_BOOTSTRAP",
    "CARGO_BUILD_RUSTC_WRAPPER", "CARGO_UNSTABLE_BUILD_STD",
)  # fmt: skip


class Toolchain(NamedTuple):
    """How to call cargo for one target."""

    source: str
    """`rustup` or `Debian`, with the version."""
    environment: dict
    cargo: str
    zigbuild: str
    """The program cargo-zigbuild."""


def wants_debian():
    """What CROSS_DEBIAN says: True, False, or None when that is ours to find out."""
    given = os.environ.get("CROSS_DEBIAN", "")
    if given not in ("", "0", "1"):
        raise Usage(f"CROSS_DEBIAN is {given!r}; give 1 for Debian's compiler, 0 for rustup's, or leave it away")
    return bool(int(given)) if given else None


def is_debian_for(targets):
    """Whether to take Debian's compiler: as CROSS_DEBIAN says, else when rustup cannot give all these targets."""
    given = wants_debian()
    reason = None if given else add_rustup_targets(targets)
    if reason and given is False:
        raise Failed(f"{reason}, and CROSS_DEBIAN=0 leaves nothing else; leave it away, or give CROSS_DEBIAN=1")
    if reason:
        say(f"{reason}; taking Debian's compiler instead, as with CROSS_DEBIAN=1")
    return given or bool(reason)


def add_rustup_targets(targets):
    """Has rustup fetch the targets' standard libraries; says why when it does not."""
    if not shutil.which("rustup"):
        return "there is no rustup here"
    triples = [target.triple for target in targets]
    listed = ["rustup", "target", "list", "--installed"]
    there = subprocess.run(listed, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False).stdout.split()
    missing = [triple for triple in triples if triple not in there]
    if not missing:
        return None
    say(f"rustup target add {' '.join(missing)}")
    try:
        added = subprocess.run(
            ["rustup", "target", "add", *missing], cwd=ROOT, timeout=RUSTUP_MAX_S, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return f"rustup has not got {' '.join(missing)} within {RUSTUP_MAX_S} s"
    return f"rustup cannot get {' '.join(missing)}" if added else None


def of(target, is_debian):
    """The toolchain for one target."""
    environment = {name: value for name, value in os.environ.items() if name not in DIVERTING}
    tools = zig_tools()
    path = [str(tools / "bin"), *(["/usr/bin"] if is_debian else []), os.environ.get("PATH", os.defpath)]
    environment |= {
        "PATH": os.pathsep.join(path),
        "CARGO_TARGET_DIR": str(OUT / "cargo"),
        "CARGO_ZIGBUILD_CACHE_DIR": str(cache.root() / "zig-wrappers"),
        "ZIG_GLOBAL_CACHE_DIR": str(cache.root() / "zig"),
    }
    for name in ("RUSTFLAGS", "RUSTDOCFLAGS", "LINKER", "RUNNER"):
        environment.pop(variable(target, name), None)
    if is_debian:
        environment |= debian(target)
    cargo = environment.get("CARGO", "cargo")
    version = output([environment.get("RUSTC", "rustc"), "--version"], "is Rust installed?", env=environment, cwd=ROOT)
    source = f"{'Debian' if is_debian else 'rustup'}'s {version.split(' (')[0].strip()}"
    return Toolchain(source, environment, cargo, str(tools / "bin" / "cargo-zigbuild"))


def debian(target):
    """The variables that have cargo use Debian's compiler, and for the target a standard library made with it."""
    programs = {name: f"/usr/bin/{name.lower()}" for name in ("CARGO", "RUSTC", "RUSTDOC")}
    check_version(programs["RUSTC"])
    flags = ["--sysroot", str(sysroot.of(target, programs))]
    if any(" " in flag for flag in flags):
        raise Failed(f"cargo cannot take a flag with a blank in it: {flags[1]}; set PISINK_CROSS_CACHE to a plain path")
    # Debian's compiler brings no start files for musl; zig does.
    static = ["-C", "link-self-contained=no"] if target.is_static else []
    return programs | {
        variable(target, "RUSTFLAGS"): " ".join(flags + static),
        variable(target, "RUSTDOCFLAGS"): " ".join(flags + static),
    }


def check_version(rustc):
    """Debian's compiler must be new enough for the project."""
    found = output([rustc, "--version"], "install Debian's rustc-web").split()[1]
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    needed = next(line for line in manifest.splitlines() if line.startswith("rust-version")).split('"')[1]
    if numbers(found) < numbers(needed):
        raise Failed(
            f"{rustc} is {found} and pisink needs {needed}; Debian has a newer one in the package rustc-web,"
            " which takes the place of rustc"
        )


def numbers(version):
    """A version for comparing."""
    return [int(part) for part in version.split("-")[0].split(".")]


def variable(target, name):
    """The environment variable by which cargo takes a setting for one target."""
    return f"CARGO_TARGET_{target.triple.upper().replace('-', '_')}_{name}"


def zig_tools():
    """The folder of a virtual environment with zig and cargo-zigbuild."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    name = f"tools-{cache.key(REQUIREMENTS, sys.base_prefix, python, platform.machine())}"
    return cache.folder(name, "zig and cargo-zigbuild, from PyPI", make_zig_tools)


def make_zig_tools(folder):
    """Fills it. Wheels only: building either from source takes longer than all else here."""
    hint = "PyPI must be reachable; versions are in cross/requirements.txt"
    run([sys.executable, "-m", "venv", folder], "install Debian's python3-venv")
    pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "--only-binary", ":all:", "--requirement", REQUIREMENTS], hint)


def zig_variables(tools, target):
    """What cargo-zigbuild sets for cargo, for programs that call cargo themselves: it has no word for nextest."""
    with tempfile.TemporaryDirectory(prefix="pisink-") as folder:
        stand_in = pathlib.Path(folder) / "cargo"
        stand_in.write_text("#!/bin/sh\nexec env -0\n", encoding="utf-8")
        stand_in.chmod(0o755)
        command = [tools.zigbuild, "zigbuild", "--target", target.zig_triple]
        said = output(command, "", cwd=ROOT, env={**tools.environment, "CARGO": str(stand_in)})
    after = dict(entry.split("=", 1) for entry in said.split("\0") if "=" in entry)
    return {name: value for name, value in after.items() if tools.environment.get(name) != value and name != "CARGO"}
