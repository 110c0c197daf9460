"""The three binaries, and what is wanted of each."""

import pathlib
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Everything that these scripts make.
OUT = ROOT / "target" / "cross"
BIN = OUT / "bin"
# The oldest glibc that the binaries may need: bullseye has 2.31, bookworm 2.36, trixie 2.41.
GLIBC_MAX = "2.28"
SIZE_MAX_BYTES = 9 << 20


class Target(NamedTuple):
    """One kind of binary."""

    arch: str
    """Its name here, as in `pisink-armv6`."""
    pis: str
    """Whom it is for."""
    triple: str
    """Its name for rustc."""
    elf_class: str
    machine: str
    """As readelf has them."""
    attributes: dict
    """What `readelf -A` must say: 32-bit ARM, which is always hard-float here."""
    interpreter: str | None
    """The dynamic loader; None for a static binary."""
    qemu: str
    """The emulator of its processor."""
    cpu: str
    """The oldest processor that it must run on, for the emulator: a newer instruction ends the run."""
    prefix: str | None
    """Where Debian puts its glibc on another machine."""
    package: str | None
    """The package of that glibc."""

    @property
    def is_static(self):
        """Whether it brings its own C library (musl)."""
        return self.interpreter is None

    @property
    def zig_triple(self):
        """Its name for cargo-zigbuild, with the glibc to link for."""
        return self.triple if self.is_static else f"{self.triple}.{GLIBC_MAX}"

    @property
    def binary(self):
        """Where the finished binary is put."""
        return BIN / f"pisink-{self.arch}"


TARGETS = {
    target.arch: target
    for target in (
        Target(
            arch="aarch64",
            pis="Pi 3, 4, 5, Zero 2 with a 64-bit system",
            triple="aarch64-unknown-linux-gnu",
            elf_class="ELF64",
            machine="AArch64",
            attributes={},
            interpreter="/lib/ld-linux-aarch64.so.1",
            qemu="qemu-aarch64",
            cpu="cortex-a53",
            prefix="/usr/aarch64-linux-gnu",
            package="libc6-arm64-cross",
        ),
        Target(
            arch="armv7",
            pis="Pi 2, 3, 4 with a 32-bit system",
            triple="armv7-unknown-linux-gnueabihf",
            elf_class="ELF32",
            machine="ARM",
            attributes={"Tag_CPU_arch": "v7"},
            interpreter="/lib/ld-linux-armhf.so.3",
            qemu="qemu-arm",
            cpu="cortex-a7",
            prefix="/usr/arm-linux-gnueabihf",
            package="libc6-armhf-cross",
        ),
        Target(
            arch="armv6",
            pis="Pi 1 and Zero; as it needs no C library, any 32-bit system",
            triple="arm-unknown-linux-musleabihf",
            elf_class="ELF32",
            machine="ARM",
            attributes={"Tag_CPU_arch": "v6", "Tag_THUMB_ISA_use": "Thumb-1", "Tag_FP_arch": "VFPv2"},
            interpreter=None,
            qemu="qemu-arm",
            cpu="arm1176",
            prefix=None,
            package=None,
        ),
    )
}
