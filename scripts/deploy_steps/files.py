"""What goes onto which Pi: its architecture from what it says of itself, and the file that was built for that."""

import hashlib
import io
import platform
import re
import tarfile
from dataclasses import dataclass

# Architecture -> the binary of cross/build. armv6 is armhf too for Debian, but its CPUs cannot run Debian's armhf code.
BINARIES = {"arm64": "pisink-aarch64", "armhf": "pisink-armv7", "armv6": "pisink-armv6", "amd64": "pisink-x86_64"}
PACKAGES = ("arm64", "armhf", "amd64")
# Where cross/package and cross/build put them, below target/; and the folder itself, for one that was downloaded.
PLACES = (".", "package", "cross/dist", "cross/bin")
# e_machine of an ELF file (System V ABI) -> architectures that can run it; EM_ARM does not tell ARMv6 from ARMv7.
ELF_MACHINES = {183: {"arm64"}, 40: {"armhf", "armv6"}, 62: {"amd64"}}
TARBALL_PROGRAM = "files/usr/bin/pisink"  # as cross/package makes it, below its one folder


class NoFile(Exception):
    """Nothing that fits this Pi: what is missing, and the next step."""

    def __init__(self, why, next_step):
        super().__init__(why)
        self.next_step = next_step


@dataclass(frozen=True)
class Payload:
    """One file to install."""

    kind: str  # "deb", "tarball" or "binary"
    name: str
    data: bytes

    @property
    def sha256(self):
        return hashlib.sha256(self.data).hexdigest()


def architecture(facts):
    """arm64, armhf, armv6 or amd64, by what the probe found; None when it is none of these.

    dpkg goes before uname: a 64-bit kernel under 32-bit userland is usual on Raspberry Pi OS. A Pi Zero or 1 says
    armhf like the others, and only its CPU tells: "ARMv6-compatible" (its "CPU architecture: 7" is wrong).
    """
    userland = facts.get("dpkg") or {
        "aarch64": "arm64" if facts.get("bits") != "32" else "armhf",
        "armv8l": "armhf",
        "armv7l": "armhf",
        "armv6l": "armhf",
        "x86_64": "amd64",
    }.get(facts.get("machine"))
    if userland == "armhf" and (facts.get("machine") == "armv6l" or facts.get("cpu", "").startswith("ARMv6")):
        return "armv6"
    return userland if userland in BINARIES else None


def choose(arch, folder, kind=None, file=None):
    """The payload for an architecture: `file` if given, else what is below `folder`, packages first."""
    if file is not None:
        return load(arch, file)
    build = BINARIES[arch].removeprefix("pisink-")
    candidates = []
    if kind != "binary":
        pattern = f"pisink_*_{arch}.deb" if arch in PACKAGES else "pisink[_-]*armv6*.tar.gz"
        found = [path for place in PLACES for path in (folder / place).glob(pattern)]
        candidates += sorted(found, key=version_key, reverse=True)
    if kind != "deb":
        candidates += [folder / place / BINARIES[arch] for place in PLACES]
        if arch == "amd64" and platform.machine() == "x86_64":
            candidates.append(folder / "release" / "pisink")
    for path in candidates:
        if path.is_file():
            return load(arch, path)
    what = {"deb": "package", "binary": "binary"}.get(kind, "package or binary")
    make = "cargo build --release" if arch == "amd64" else f"cross/build {build}"
    if kind != "binary":
        make += f" && cross/package {arch}"
    raise NoFile(f"no {what} for {arch} in {folder}", f"make it: {make}; or give your own with --file")


def version_key(path):
    """Numbers in a name compare as numbers, so that 0.10.0 comes after 0.9.0; of one version the newest file."""
    return [int(number) for number in re.findall(r"\d+", path.name)], path.stat().st_mtime


def load(arch, path):
    """Reads a package, a binary or a tarball of both, and makes sure that it is for this architecture."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NoFile(f"cannot read {path}: {error.strerror}", "give a readable file") from error
    if data.startswith(b"!<arch>\n"):
        found = package_architecture(data, path.name)
        if found not in (arch, "all"):
            raise wrong(path, found or "an unknown architecture", arch)
        return Payload("deb", path.name, data)
    program = tarball_program(path, data) if data.startswith(b"\x1f\x8b") else data
    if not program.startswith(b"\x7fELF"):
        raise NoFile(f"{path} is no package, no tarball and no program", "give a .deb, a binary or the ARMv6 tarball")
    machine = int.from_bytes(program[18:20], "little")
    if arch not in ELF_MACHINES.get(machine, ()):
        raise wrong(path, "/".join(sorted(ELF_MACHINES.get(machine, {f"machine {machine}"}))), arch)
    return Payload("binary" if program is data else "tarball", path.name, data)


def wrong(path, found, arch):
    """The file is for other machines."""
    return NoFile(f"{path.name} is for {found}, and this is {arch}", f"leave --file out, or give one for {arch}")


def tarball_program(path, data):
    """The program in a tarball."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            name = next(name for name in tar.getnames() if name.endswith(f"/{TARBALL_PROGRAM}"))
            return tar.extractfile(name).read()
    except (tarfile.TarError, EOFError, OSError, StopIteration, AttributeError) as error:
        raise NoFile(f"{path} has no {TARBALL_PROGRAM} in it", "make it again: cross/package armv6") from error


def package_architecture(data, name):
    """`Architecture:` of a package (an ar archive with a control.tar in it), or what its name says."""
    at = 8
    while at + 60 <= len(data):
        header = data[at : at + 60]
        size = int(header[48:58]) if header[48:58].strip().isdigit() else len(data)
        content = data[at + 60 : at + 60 + size]
        if header.startswith(b"control.tar"):
            try:
                with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                    control = tar.extractfile("./control").read().decode()
                return re.search(r"^Architecture: (\S+)", control, re.MULTILINE)[1]
            except (tarfile.TarError, KeyError, TypeError, UnicodeDecodeError):
                break  # compressed by zstd, which Python 3.11 cannot read
        at += 60 + size + size % 2
    match = re.search(r"_([a-z0-9]+)\.deb$", name)
    return match[1] if match else None
