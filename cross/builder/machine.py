"""What this machine needs: Debian packages and emulators, found, installed, or asked for."""

import os
import shutil
import sys

from .say import Failed, run, say, shown

APT = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]


def emulator(target):
    """The qemu-user program for a target: Debian's older releases add `-static` to its name."""
    return shutil.which(f"{target.qemu}-static") or shutil.which(target.qemu)


def packages_missing(targets, is_debian):
    """What apt has to install for these targets: a package stands beside what it is needed for."""
    needed = [
        (shutil.which("cc"), ["gcc", "libc6-dev"]),
        (shutil.which("readelf"), ["binutils"]),
        (has_venv(), ["python3-venv"]),
        (all(map(emulator, targets)), ["qemu-user-static"]),
        *((not t.prefix or os.path.isdir(f"{t.prefix}/lib"), [t.package]) for t in targets),
    ]
    if is_debian:
        needed += [
            (os.path.exists("/usr/bin/rustc"), ["rustc-web"]),
            (os.path.exists("/usr/bin/cargo"), ["cargo-web"]),
            (os.path.exists("/usr/lib/rustlib/src/rust/library/Cargo.toml"), ["rust-web-src"]),
        ]
    return [name for is_there, names in needed if not is_there for name in names]


def has_venv():
    """Whether Python can make virtual environments: Debian has that in a package of its own."""
    try:
        import ensurepip  # noqa: F401, PLC0415  (its absence is the question)
    except ImportError:
        return False
    return True


def prepare(targets, is_debian):
    """Installs what is missing."""
    missing = packages_missing(targets, is_debian)
    if missing:
        apt_install(missing)
    still = packages_missing(targets, is_debian)
    if still:
        raise Failed(
            f"apt-get installed {' '.join(missing)}, and what {' '.join(still)} should bring is still not there;"
            f" this was tried with Debian 12 and Python {sys.version_info.major}.{sys.version_info.minor} there"
        )


def apt_install(packages):
    """Runs apt-get as root or by sudo; where neither can be, says what somebody else has to run."""
    install = [*APT, "install", "-q", "-y", "--no-install-recommends", *packages]
    by_hand = shown(["apt-get", "install", "--no-install-recommends", *packages])
    if not shutil.which("apt-get"):
        raise Failed(f"missing, and there is no apt-get here; install what Debian calls: {' '.join(packages)}")
    if os.geteuid() == 0:
        root = []
    elif shutil.which("sudo"):
        root = ["sudo"]
    else:
        raise Failed(f"missing: {' '.join(packages)}; as root, run: {by_hand}")
    say(f"installing: {shown([*root, *install])}")
    try:
        run([*root, *APT, "update", "-q"], "")
    except Failed:
        say("apt-get update failed; trying with the package lists that are here")
    run(
        [*root, "env", "DEBIAN_FRONTEND=noninteractive", *install],
        f"as root, run: {by_hand}",
    )
