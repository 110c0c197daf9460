"""What an emulated Pi is made of: QEMU for this machine; kernel, modules, libraries and busybox for the Pi.

All of it is fetched once, into a folder under target/cross/emulator that is named after the versions. A folder gets
its name only when it is complete, so a run that was interrupted leaves nothing that a later one would believe in.
"""

import hashlib
import json
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import apt
from .errors import SetupError

# The first QEMU with the Pi's I2C controller (bcm2835-i2c).
QEMU_LEAST = (9, 0)
QEMU_PROGRAM = "qemu-system-aarch64"
# Folders of programs that a user's PATH may lack.
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"

# Drivers to load, each after what it depends on. The network's are loaded too: its interface stays down until asked.
MODULES = (
    "bcm2835_wdt", "i2c-bcm2835", "i2c-dev", "phy-generic", "dwc2", "cdc_ether", "bcm2835",
    "crc32c_generic", "ext4",
)  # fmt: skip
LIBRARIES = (
    "ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libgcc_s.so.1",
    "libnss_files.so.2", "libresolv.so.2",
)  # fmt: skip
GUEST_PACKAGES = ("busybox-static", "libc6", "libgcc-s1")
DTB = "bcm2837-rpi-3-b.dtb"


class Parts:
    """A complete folder: `qemu`, its environment, and the guest's files under `guest`."""

    def __init__(self, folder, record):
        self.folder = pathlib.Path(folder)
        self.versions = record["versions"]
        self.guest = self.folder / "guest"
        self.host = self.folder / "host"
        self.qemu = str(self.folder / record["qemu"]) if record["qemu"] else QEMU_PROGRAM
        self.modules = [self.guest / "modules" / name for name in record["modules"]]

    def environment(self):
        """The environment for programs of the folder: their libraries lie beside them."""
        libraries = ":".join(str(path) for path in library_folders(self.host))
        env = dict(os.environ)
        path = f"{self.host}/usr/sbin:{self.host}/sbin:{env.get('PATH', '')}:{SYSTEM_PATH}"
        return env | {"PATH": path} | ({"LD_LIBRARY_PATH": libraries} if libraries else {})

    def qemu_data(self):
        """QEMU's arguments that say where its data lie, when it is the folder's own."""
        data = self.host / "usr/share/qemu"
        return ["-L", str(data)] if data.is_dir() else []

    def work(self):
        """Whether the programs start; a library that has gone from the system shows here."""
        try:
            done = subprocess.run([self.qemu, "--version"], env=self.environment(), capture_output=True, check=False)
        except OSError:
            return False
        return done.returncode == 0 and all(path.exists() for path in self.modules)


def get(cache, say, update=False):
    """The parts in `cache`, fetched when they are not there (or `update` asks for newer ones)."""
    current = cache / "current.json"
    if current.exists() and not update:
        record = json.loads(current.read_text())
        parts = Parts(cache / record["folder"], record)
        if parts.work():
            return parts
    say("fetching QEMU, a kernel and what else a Pi boots with (once; some 100 MB)")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as making:
        record = make(pathlib.Path(making), apt.Apt(cache / "apt"), say)
        folder = cache / record["folder"]
        shutil.rmtree(folder, ignore_errors=True)
        (pathlib.Path(making) / "parts").rename(folder)
    if update:
        for old in cache.glob("parts-*"):
            if old != folder:
                shutil.rmtree(old)
    draft = current.with_suffix(".new")
    draft.write_text(json.dumps(record, indent=1) + "\n")
    draft.rename(current)
    parts = Parts(folder, record)
    if not parts.work():
        raise SetupError(f"{parts.qemu} does not start; see: LD_LIBRARY_PATH=... {parts.qemu} --version")
    return parts


def make(making, private_apt, say):
    """Fills `making`/parts and returns its record."""
    private_apt.update()
    parts, debs = making / "parts", making / "debs"
    versions = {}
    qemu = None
    if qemu_version() < QEMU_LEAST:
        version, suite = choose_qemu(private_apt.versions("qemu-system-arm"))
        say(f"fetching QEMU {version}")
        wanted = private_apt.missing("qemu-system-arm", suite)
        # An upgrade of qemu-user, should it be installed, is of no use here.
        wanted = [package for package in wanted if not package[0].startswith("qemu-user")]
        apt.unpack(private_apt.download(wanted, debs), parts / "host")
        qemu, versions["qemu"] = f"host/usr/bin/{QEMU_PROGRAM}", version
    if not shutil.which("mkfs.ext4", path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"):
        say("fetching e2fsprogs")
        apt.unpack(private_apt.download(private_apt.missing("e2fsprogs"), debs), parts / "host")
    kernel = kernel_package(private_apt.apt_cache("show", "--no-all-versions", "linux-image-arm64:arm64"))
    packages = []
    for name in (kernel, *GUEST_PACKAGES):
        version = stable_version(private_apt.versions(f"{name}:arm64"), name)
        packages.append((name, version, "arm64"))
        versions[name] = version
    say(f"fetching {kernel} {versions[kernel]}")
    apt.unpack(private_apt.download(packages, debs), making / "guest")
    modules = assemble(making / "guest", parts / "guest")
    key = hashlib.sha256(json.dumps(versions, sort_keys=True).encode()).hexdigest()[:12]
    return {"folder": f"parts-{key}", "qemu": qemu, "versions": versions, "modules": modules}


def qemu_version():
    """The version of the QEMU that is installed, or (0,)."""
    try:
        done = subprocess.run([QEMU_PROGRAM, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return (0,)
    found = re.search(r"version (\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found else (0,)


def choose_qemu(versions):
    """The version to fetch and the suite to take it from (None: the system's own): own suites before backports."""
    good = [(version, suite) for version, suite in versions if apt.version_key(version) >= QEMU_LEAST]
    if not good:
        least = ".".join(map(str, QEMU_LEAST))
        raise SetupError(f"no qemu-system-arm of {least} or newer in the archives; the Pi's I2C came with that version")
    own = [version for version, suite in good if not suite.endswith("-backports")]
    return (own[0], None) if own else good[0]


def stable_version(versions, name):
    """The newest version that is not from the backports."""
    own = [version for version, suite in versions if not suite.endswith("-backports")]
    if not own:
        raise SetupError(f"the archives have no {name} for arm64; is the mirror complete?")
    return own[0]


def kernel_package(record):
    """The package with the kernel's files, out of `apt-cache show linux-image-arm64`."""
    found = re.search(r"^Depends:.*?\b(linux-image-[\w.+-]+-arm64)\b", record, re.MULTILINE)
    if not found:
        raise SetupError("linux-image-arm64 names no kernel; is the mirror complete?")
    return found[1]


def assemble(unpacked, guest):
    """Copies the few files that a Pi needs out of the unpacked packages; returns the modules in loading order."""
    for part in ("modules", "lib"):
        (guest / part).mkdir(parents=True)
    shutil.copy(one(unpacked, "boot/vmlinuz-*"), guest / "vmlinuz")
    shutil.copy(one(unpacked, f"usr/lib/linux-image-*/broadcom/{DTB}"), guest / DTB)
    shutil.copy(one(unpacked, "**/bin/busybox"), guest / "busybox")
    for library in LIBRARIES:
        shutil.copy(one(unpacked, f"**/aarch64-linux-gnu/{library}"), guest / "lib" / library)
    available = {module_name(path): path for path in unpacked.glob("**/lib/modules/*/kernel/**/*.ko*")}
    order = loading_order(MODULES, lambda name: depends(available.get(name)))
    names = []
    for name in order:
        if name in available:  # else it is built into this kernel
            names.append(f"{len(names):02}-{name}.ko")
            (guest / "modules" / names[-1]).write_bytes(module_bytes(available[name]))
    return names


def one(folder, pattern):
    """The first file in `folder` that the pattern finds."""
    found = next(iter(sorted(folder.glob(pattern))), None)
    if found is None:
        raise SetupError(f"the packages have no {pattern}; Debian has moved it")
    return found


def module_name(path):
    """A module's name as the kernel has it."""
    return pathlib.Path(path).name.partition(".ko")[0].replace("-", "_")


def module_bytes(path):
    """A module as the kernel loads it; newer Debians compress them."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def depends(path):
    """The modules that the one at `path` needs, as it says itself."""
    found = re.search(rb"\0depends=([^\0]*)\0", module_bytes(path)) if path else None
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []


def loading_order(wanted, needs):
    """The wanted modules and all they need, each after what it needs."""
    order = []

    def visit(name, above):
        if name in above:
            raise SetupError(f"modules need each other in a circle: {' '.join((*above, name))}")
        for need in needs(name):
            visit(need, (*above, name))
        if name not in order:
            order.append(name)

    for name in wanted:
        visit(name.replace("-", "_"), ())
    return order


def library_folders(host):
    """The folders of shared libraries under `host`."""
    return sorted({path.parent for path in host.glob("usr/lib/*/*.so*")} | {p.parent for p in host.glob("lib/*/*.so*")})
