"""Wrong binaries, made on purpose, each of which one check must catch.

They are small C programs that zig compiles for the wrong C library, processor or size: the mistakes that a changed
configuration would make.
"""

import contextlib
import io
import os
import pathlib
import re
import tempfile
from typing import NamedTuple
from unittest import mock

from . import cache, check, toolchain, trial
from .elf import judge, read
from .say import Failed, output, say
from .targets import ROOT, SIZE_MAX_BYTES, TARGETS

# Both say the right version, and do nothing else: enough to start, not to sense. The second needs no C library, which
# for 32-bit ARM zig would have to compile first.
HOSTED = '#include <stdio.h>\nint main(void) { BODY; return puts("pisink VERSION") < 0; }\n'
FREE = """\
static const char said[] = "pisink VERSION\\n";
static int call(int number, int first, const char *second, int third) {
    register int r7 __asm__("r7") = number, r0 __asm__("r0") = first, r2 __asm__("r2") = third;
    register const char *r1 __asm__("r1") = second;
    __asm__ volatile("svc 0" : "+r"(r0) : "r"(r7), "r"(r1), "r"(r2) : "memory");
    return r0;
}
void _start(void) {
    BODY;
    call(4, 1, said, sizeof said - 1);
    call(1, 0, said, 0);
}
"""
# An instruction that came with ARMv6T2: an ARMv6 processor stops at it. It is written as a number, since the compiler
# would not take it for such a processor, and the file's attributes would not tell of it.
NEWER_INSTRUCTION = '__asm__ volatile(".long 0xe3000001" ::: "r0")'
BIG = f"static volatile char big[{SIZE_MAX_BYTES}] = {{1}}; big[1] = 1"


class Case(NamedTuple):
    """One wrong binary."""

    what: str
    arch: str
    """What it is taken for."""
    zig: tuple
    """How zig makes it."""
    body: str
    caught: set
    """The checks that must fail: these and no others."""


A64 = ("-target", "aarch64-linux-gnu.2.28", "-s")
# Thus without a C library.
BARE = ("-nostdlib", "-static", "-ffreestanding", "-s")
V6 = ("-target", "arm-linux-musleabihf", "-mcpu=arm1176jzf_s", *BARE)
CASES = (
    Case("a fit binary, as far as readelf sees", "aarch64", A64, "", set()),
    Case("a fit static binary, as far as readelf sees", "armv6", V6, "", set()),
    Case("for this machine", "aarch64", ("-target", "x86_64-linux-gnu.2.28", "-s"), "", {"machine", "loader"}),
    Case("too new a glibc", "aarch64", ("-target", "aarch64-linux-gnu.2.34", "-s"), "", {"glibc"}),
    Case("with symbols", "aarch64", A64[:2], "", {"symbols"}),
    Case("too big", "aarch64", A64, BIG, {"size"}),
    Case("soft floats", "armv6", ("-target", "arm-linux-musleabi", "-mcpu=arm1176jzf_s", *BARE), "", {"floats"}),
    Case("a processor too new", "armv6", (*V6[:2], "-mcpu=cortex_a7", *BARE), "",
         {"Tag_CPU_arch", "Tag_THUMB_ISA_use", "Tag_FP_arch"}),
)  # fmt: skip


def run():
    """Makes the binaries; exit code 1 when one is not caught, or for another reason than it should be."""
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.*)"', manifest, re.MULTILINE).group(1)
    with tempfile.TemporaryDirectory(prefix="pisink-") as made:
        folder = pathlib.Path(made)
        wrong = [look(case, make(folder, case.zig, case.body, version)) for case in CASES]
        wrong += trials(folder, version)
        with mock.patch.dict(os.environ, PISINK_CROSS_CACHE=str(folder / "cache")):
            wrong += kept(folder / "cache")
    said = sum(wrong)
    say(f"{len(wrong) - said} of {len(wrong)} cases as they should be")
    return 1 if said else 0


def make(folder, flags, body, version):
    """Compiles a program."""
    source, program = folder / "main.c", folder / "pisink"
    text = FREE if "-nostdlib" in flags else HOSTED
    source.write_text(text.replace("BODY", body).replace("VERSION", version), encoding="utf-8")
    zig = [toolchain.zig_tools() / "bin" / "python", "-m", "ziglang", "cc", *flags, "-o", program, source]
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(cache.root() / "zig")}
    output(zig, "zig could not make a wrong binary", cwd=folder, env=environment)
    return program


def look(case, program):
    """Looks at a binary by readelf; whether something else was caught than should be."""
    caught = wrong_of(*judge(read(program), TARGETS[case.arch]))
    return verdict(f"{case.what}, taken for {case.arch}, is wrong in", caught, case.caught)


def trials(folder, version):
    """Binaries that only starting them shows to be wrong."""
    v6 = TARGETS["armv6"]
    newer = make(folder, V6, NEWER_INSTRUCTION, version)
    yield verdict(
        "an instruction too new, unknown to its attributes, is wrong in", wrong_of(trial.version(newer, v6)), {"starts"}
    )
    older = make(folder, V6, "", "0.0.0")
    yield verdict("an older build, is wrong in", wrong_of(trial.version(older, v6)), {"starts"})
    empty = make(folder, V6, "", version)
    caught = wrong_of(*trial.judge(empty, v6))
    yield verdict("starts and does nothing, is wrong in", caught, {"senses", "stores", "draws", "answers"})
    yield verdict("and the error at the end names", {refused(empty, v6)}, {"senses, stores, draws, answers"})


def kept(root):
    """What was made half is never used, and what is whole is not made again."""

    def half(folder):
        (folder / "half").touch()
        raise Failed("interrupted")

    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Failed):
        cache.folder("kept-1", "a folder", half)
    yield verdict("of a making that failed there is left", {path.name for path in root.iterdir()}, set())
    with contextlib.redirect_stdout(io.StringIO()):
        cache.folder("kept-1", "a folder", lambda folder: (folder / "whole").touch())
        place = cache.folder("kept-1", "a folder", half)
    yield verdict("one that ended is not done again, and has", {path.name for path in place.iterdir()}, {"whole"})


def wrong_of(*checks):
    """The names of those that are not good."""
    return {check.what for check in checks if not check.is_good}


def refused(program, target):
    """What `cross/check` says of a program at last, without its table."""
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            check.check(program, target)
        except Failed as error:
            return str(error).rpartition(": ")[2]
    return "nothing"


def verdict(what, caught, wanted):
    """Prints a case; whether it is not as it should be."""
    is_good = caught == wanted
    said = ", ".join(sorted(caught)) or "nothing"
    also = "" if is_good else f"; should be: {', '.join(sorted(wanted)) or 'nothing'}"
    print(f"   {'ok' if is_good else 'WRONG':<5} {what}: {said}{also}", flush=True)
    return not is_good
