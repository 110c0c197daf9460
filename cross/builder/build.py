"""From sources to a checked binary in target/cross/bin."""

import shutil
import time

from . import cache, machine, toolchain
from .check import check
from .say import run, say
from .targets import BIN, OUT, ROOT


def build(targets):
    """Builds and checks the targets one after the other; what stands in target/cross/bin has passed its checks."""
    is_debian = toolchain.is_debian_for(targets)
    machine.prepare(targets, is_debian)
    seconds = {target.arch: build_one(target, is_debian) for target in targets}
    for target in targets:
        mib = target.binary.stat().st_size / (1 << 20)
        say(f"{cache.shown_path(target.binary)}: {mib:.1f} MiB, in {seconds[target.arch]:.0f} s; for {target.pis}")


def build_one(target, is_debian):
    """Builds and checks one; returns the seconds that it took."""
    begun = time.monotonic()
    tools = toolchain.of(target, is_debian)
    say(f"{target.arch}: building {target.zig_triple} with {tools.source} and zig")
    command = [tools.zigbuild, "zigbuild", "--locked", "--release", "--bin", "pisink", "--target", target.zig_triple]
    run(command, "what the compiler said is above", cwd=ROOT, env=tools.environment)
    built = OUT / "cargo" / target.triple / "release" / "pisink"
    BIN.mkdir(parents=True, exist_ok=True)
    unchecked = BIN / f"pisink-{target.arch}.unchecked"
    shutil.copy2(built, unchecked)
    say(f"{target.arch}: checking it, on an emulated {target.cpu}")
    check(unchecked, target)
    unchecked.replace(target.binary)
    return time.monotonic() - begun
