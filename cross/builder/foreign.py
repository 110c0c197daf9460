"""Starting binaries of another processor: by qemu-user in front, or by a kernel that knows qemu-user itself."""

import os
import subprocess
import sys
from typing import NamedTuple

from . import machine
from .say import Failed

# How the kernel tells such a binary: the first bytes of a little-endian ELF file of this machine, program or library;
# the mask leaves out the ABI's byte and takes both kinds of program.
MAGIC = {
    "aarch64": r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00",
    "arm": r"\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00",
}
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
BINFMT = "/proc/sys/fs/binfmt_misc"


class Way(NamedTuple):
    """How children of the tests can be started, best first."""

    before: list
    """What to put before the command that runs the tests."""
    can_start_children: bool
    said: str


def environment(target):
    """What qemu-user takes from the environment, also when the kernel starts it."""
    settings = {"QEMU_CPU": target.cpu}
    return settings | ({"QEMU_LD_PREFIX": target.prefix} if target.prefix else {})


def command(target, program, *arguments):
    """A command that starts a binary of the target here."""
    emulator = machine.emulator(target)
    if not emulator:
        raise Failed("there is no qemu-user here; install qemu-user-static, or run cross/build, which does")
    prefix = ["-L", target.prefix] if target.prefix else []
    return [emulator, "-cpu", target.cpu, *prefix, str(program), *arguments]


def way(target, binary):
    """The best way in which this machine can run a binary whose children are such binaries too."""
    if starts(target, [], binary):
        return Way([], True, "the kernel starts such binaries by qemu-user")
    private = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "builder.foreign", target.arch]
    if starts(target, private, binary):
        return Way(private, True, "in a name space of their own, where the kernel starts such binaries by qemu-user")
    return Way([], False, "by qemu-user in front of each test; the kernel cannot be told to start such binaries")


def starts(target, before, binary):
    """Whether the binary starts like this."""
    try:
        done = subprocess.run(
            [*before, str(binary), "--version"],
            env=inside({**os.environ, **environment(target)}),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0 and done.stdout.startswith(b"pisink ")


def inside(settings):
    """An environment in which `python -m builder.foreign` is found."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return {**settings, "PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}


def enter(target, words):
    """In a new name space: has its kernel start the target's binaries by qemu-user, and becomes the command.

    Since Linux 6.7 each user name space can have its own binfmt_misc, so that nothing changes for the rest of the
    machine.
    """
    subprocess.run(["mount", "-t", "binfmt_misc", "none", BINFMT], check=True)
    kind = target.qemu.removeprefix("qemu-")
    with open(f"{BINFMT}/register", "w", encoding="ascii") as register:
        # F: the kernel opens the emulator now, and so finds it from any root folder.
        register.write(f":pisink-{kind}:M::{MAGIC[kind]}:{MASK}:{machine.emulator(target)}:F")
    os.execvp(words[0], words)


if __name__ == "__main__":
    from .targets import TARGETS

    enter(TARGETS[sys.argv[1]], sys.argv[2:])
