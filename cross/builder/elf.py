"""What a binary is, by readelf, and whether the Pis that it is for can load it."""

import os
import re
from typing import NamedTuple

from .say import Failed, output
from .targets import GLIBC_MAX, SIZE_MAX_BYTES

# What stands in every Raspberry Pi OS and comes with its glibc.
LIBRARIES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-aarch64.so.1",
             "ld-linux-armhf.so.3"}  # fmt: skip


class Facts(NamedTuple):
    """What readelf says of a file."""

    elf_class: str
    machine: str
    flags: str
    attributes: dict
    interpreter: str | None
    libraries: tuple
    glibc: tuple
    """All versions of glibc's symbols that it needs, lowest first."""
    has_symbols: bool
    size_bytes: int


class Check(NamedTuple):
    """One thing that was looked at."""

    what: str
    found: str
    is_good: bool
    why: str
    """Why it matters, for when it is not good."""


def read(path):
    """The facts about a file."""
    if not path.is_file():
        raise Failed(f"there is no {path}; build it: cross/build")
    header = readelf("-h", path)
    if "Class:" not in header:
        raise Failed(f"{path} is no ELF file; is it the binary, and whole?")
    segments, dynamic = readelf("-lW", path), readelf("-dW", path)
    interpreter = re.search(r"program interpreter: (.*)\]", segments)
    versions = set(re.findall(r"\bGLIBC_([0-9.]+)", readelf("-VW", path)))
    return Facts(
        elf_class=field(header, "Class"),
        machine=field(header, "Machine"),
        flags=field(header, "Flags"),
        attributes=dict(re.findall(r"^\s*(Tag_\w+): (.*?)\s*$", readelf("-A", path), re.MULTILINE)),
        interpreter=interpreter.group(1) if interpreter else None,
        libraries=tuple(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)),
        glibc=tuple(sorted(versions, key=version_key)),
        has_symbols=".symtab" in readelf("-SW", path),
        size_bytes=path.stat().st_size,
    )


def readelf(option, path):
    """What readelf says, in English."""
    hint = "install binutils; if the file is no ELF file, it is not the binary"
    return output(["readelf", option, path], hint, env={**os.environ, "LC_ALL": "C"})


def field(header, name):
    """A line of the ELF header."""
    return re.search(rf"^\s*{name}:\s*(.*?)\s*$", header, re.MULTILINE).group(1)


def version_key(version):
    """2.4 is before 2.28."""
    return [int(part) for part in version.split(".")]


def judge(facts, target):
    """The facts against what is wanted of a target."""
    size = f"{facts.size_bytes / (1 << 20):.1f} MiB"
    highest = facts.glibc[-1] if facts.glibc else None
    kind = f"{facts.elf_class} {facts.machine}"
    checks = [
        Check("machine", kind, kind == f"{target.elf_class} {target.machine}",
              f"a Pi loads {target.elf_class} {target.machine} here, and calls anything else an exec format error"),
        Check("loader", facts.interpreter or "static", facts.interpreter == target.interpreter,
              f"it has to be {target.interpreter or 'static'}: a loader that the Pi has not, or one where none is"
              " needed, ends as `No such file or directory`"),
        Check("glibc", f"needs up to {highest}" if highest else "needs none", is_glibc_good(highest, target),
              f"an older Raspberry Pi OS has no more than {GLIBC_MAX} for sure; a `linker` that somebody set beats"
              " zig: look into the cargo configuration" if not target.is_static else
              "ARMv6 binaries bring their own C library, since Debian's is made for newer processors"),
        Check("libraries", " ".join(facts.libraries) or "none", LIBRARIES.issuperset(facts.libraries),
              "one that is not part of the C library may not be on a Pi"),
        Check("size", size, facts.size_bytes < SIZE_MAX_BYTES,
              f"the bound is {SIZE_MAX_BYTES >> 20} MiB; what has grown?"),
        Check("symbols", "there" if facts.has_symbols else "stripped", not facts.has_symbols,
              "the release profile strips them; this is another profile's binary"),
    ]  # fmt: skip
    return checks + (arm(facts, target) if target.attributes else [])


def is_glibc_good(highest, target):
    """A binary for glibc needs some of it, and nothing new; a static one needs none."""
    if target.is_static:
        return highest is None
    return highest is not None and version_key(highest) <= version_key(GLIBC_MAX)


def arm(facts, target):
    """What 32-bit ARM has besides: how floats are passed, and the instruction sets."""
    checks = [
        Check("floats", facts.flags.split(", ")[-1], "hard-float" in facts.flags,
              "Raspberry Pi OS passes floats in registers; a soft-float binary finds no loader there")
    ]  # fmt: skip
    for tag, wanted in target.attributes.items():
        found = facts.attributes.get(tag, "absent")
        why = f"it must be {wanted}: {target.pis} know no newer instruction and would end with `Illegal instruction`"
        checks.append(Check(tag, found, found == wanted, why))
    return checks
