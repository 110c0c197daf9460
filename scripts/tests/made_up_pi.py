"""A made-up Pi: an ssh server of the test's own, and a folder that is its / with made-up system programs first in PATH.

Real are ssh, the shell, dpkg's unpacking and its database (`dpkg --root`), and pisink, which really runs and answers.
Made up are sudo, systemctl, apt-get, journalctl, useradd and uname; each writes what it was told to `calls`.
"""

import getpass
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
WAIT_S = 20  # for anything to happen; a busy machine is slow

UNIT = """[Service]
ExecStart=/usr/local/bin/pisink run --config /etc/pisink/pisink.toml

[Install]
WantedBy=multi-user.target
"""

INSTALL = """set -eu
[ "$1" = --root ]
cd "$(dirname "$0")/files"
if [ "${3:-}" = --uninstall ]; then
    find . -type f | while read -r file; do rm -f "$2/$file"; done
else
    find . -type f | while read -r file; do install -D -m "$(stat -c %a "$file")" "$file" "$2/$file"; done
fi
"""

FAKES = {
    "sudo": """
[ ! -e "$PISINK_ROOT/no-sudo" ] || exit 1
[ "$1" != -n ] || shift
exec "$@"
""",
    "uname": 'cat "$PISINK_ROOT/machine"\n',
    "dpkg": """
case $1 in
--print-architecture) cat "$PISINK_ROOT/dpkg-architecture" ;;
*) exec /usr/bin/dpkg --root="$PISINK_ROOT" --force-not-root --force-script-chrootless --force-unsafe-io "$@" ;;
esac
""",
    "dpkg-query": 'exec /usr/bin/dpkg-query --admindir="$PISINK_ROOT/var/lib/dpkg" "$@"\n',
    "apt-get": """
for last; do :; done
exec /usr/bin/dpkg --root="$PISINK_ROOT" --force-not-root --force-script-chrootless --force-unsafe-io \\
    --force-confold --force-confmiss -i "$last"
""",
    "journalctl": 'tail -n 3 "$PISINK_ROOT/service.log"\n',
    "useradd": "",
    "usermod": "",
    "systemd-sysusers": "",
    # A link that stops in the middle of the copying.
    "tar": """
if [ -e "$PISINK_ROOT/stuck" ]; then
    {
        head -c 100000
        touch "$PISINK_ROOT/stuck-now"
        while [ -e "$PISINK_ROOT/stuck" ]; do sleep 0.1; done
    } | /bin/tar "$@"
else
    exec /bin/tar "$@"
fi
""",
    "systemctl": """
unit=
for place in etc lib usr/lib; do
    [ -n "$unit" ] || [ ! -e "$PISINK_ROOT/$place/systemd/system/pisink.service" ] ||
        unit=$PISINK_ROOT/$place/systemd/system/pisink.service
done
stop() {
    [ -e "$PISINK_ROOT/service.pid" ] || return 0
    pid=$(cat "$PISINK_ROOT/service.pid")
    kill "$pid" 2>/dev/null || true
    while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
    rm -f "$PISINK_ROOT/service.pid"
}
case $* in
"cat pisink.service") [ -n "$unit" ] ;;
restart*)
    stop
    [ -n "$unit" ] || exit 5
    command=$(sed -n "s|^ExecStart=||p" "$unit" | sed "s| /etc/| $PISINK_ROOT/etc/|; s|^/|$PISINK_ROOT/|")
    setsid $command >>"$PISINK_ROOT/service.log" 2>&1 </dev/null &
    echo $! >"$PISINK_ROOT/service.pid"
    ;;
is-failed*) [ -e "$PISINK_ROOT/service.pid" ] && ! kill -0 "$(cat "$PISINK_ROOT/service.pid")" 2>/dev/null ;;
disable*--now*) stop ;;
esac
""",
}


def free_port():
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, condition, wait_s=WAIT_S):
    """Waits until `condition()` gives something true, and gives it."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {wait_s} s")


def answers(port):
    """Whether something accepts connections at the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def native_architecture():
    """This machine's architecture as dpkg calls it."""
    return subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()


def pisink():
    """A built pisink of this machine, PISINK_BINARY or the debug build; or None. (A release build has its version in
    its instructions, where two_versions cannot change it.)"""
    candidates = [
        os.environ.get("PISINK_BINARY"),
        pathlib.Path(os.environ.get("CARGO_TARGET_DIR", PROJECT / "target"), "debug/pisink"),
    ]
    return next((pathlib.Path(path) for path in candidates if path and os.access(path, os.X_OK)), None)


def two_versions(folder):
    """pisink, and the same with another version in it of the same length: two files to go between."""
    old, new = folder / "old" / "pisink", folder / "new" / "pisink"
    for path in (old, new):
        path.parent.mkdir()
        shutil.copy(pisink(), path)
    version = re.search(r"pisink (\S+)", subprocess.run([old, "--version"], capture_output=True, text=True).stdout)[1]
    other = version[:-1] + ("9" if version[-1] != "9" else "8")
    new.write_bytes(old.read_bytes().replace(version.encode(), other.encode()))
    return (old, version), (new, other)


def package(folder, program, version):
    """A package with the program, a unit and a conffile in it, as cross/package makes them."""
    tree = folder / f"package-{version}"
    for path, data in {
        "usr/bin/pisink": program.read_bytes(),
        "lib/systemd/system/pisink.service": UNIT.replace("/usr/local/bin", "/usr/bin").encode(),
        "etc/pisink/pisink.toml": b'role = "secondary"\n',
        "DEBIAN/conffiles": b"/etc/pisink/pisink.toml\n",
        "DEBIAN/control": f"Package: pisink\nVersion: {version}\nArchitecture: {native_architecture()}\n"
        "Maintainer: nobody <nobody@localhost>\nDescription: made up\n".encode(),
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    (tree / "usr/bin/pisink").chmod(0o755)
    file = folder / f"pisink_{version}_{native_architecture()}.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--build", tree, file], check=True, capture_output=True)
    return file


def tarball(folder, program, version):
    """A tarball with an install.sh in it, as cross/package makes it for ARMv6."""
    tree = folder / f"pisink-{version}-armv6"
    for path, data in {
        "install.sh": INSTALL.encode(),
        "files/usr/bin/pisink": program.read_bytes(),
        "files/usr/lib/systemd/system/pisink.service": UNIT.replace("/usr/local/bin", "/usr/bin").encode(),
    }.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    (tree / "files/usr/bin/pisink").chmod(0o755)
    file = folder / f"{tree.name}.tar.gz"
    subprocess.run(["tar", "-C", folder, "-czf", file, tree.name], check=True)
    return file


class Site:
    """The keys, the ssh configuration, and the Pis of one test."""

    def __init__(self, folder):
        self.folder = folder
        self.pis = {}
        for name in ("id", "stranger", "host"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        self.config = folder / "ssh_config"
        self.config.write_text("")
        if os.getuid() == 0:
            pathlib.Path("/run/sshd").mkdir(exist_ok=True)  # sshd's own, which its package makes at boot

    def alias(self, name, port, key="id"):
        """One more name that ssh knows."""
        with self.config.open("a") as config:
            config.write(
                f"Host {name}\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n"
                f" IdentityFile {self.folder / key}\n IdentitiesOnly yes\n"
                f" UserKnownHostsFile {self.folder / 'known_hosts'}\n StrictHostKeyChecking accept-new\n"
            )

    def pi(self, name, **how):
        """One more Pi, up and answering."""
        self.pis[name] = MadeUpPi(self, name, **how)
        return self.pis[name]

    def close(self):
        for pi in self.pis.values():
            pi.close()


class MadeUpPi:
    """One made-up Pi."""

    def __init__(self, site, name, arch=None, machine="x86_64"):
        self.name, self.root, self.node_port = name, site.folder / name, free_port()
        for folder in ("bin", "run", "var/tmp", "var/lib/dpkg/updates", "var/lib/dpkg/info", "usr/local/bin", "etc"):
            (self.root / folder).mkdir(parents=True)
        for file in ("status", "available"):
            (self.root / "var/lib/dpkg" / file).touch()
        (self.root / "dpkg-architecture").write_text(f"{arch or native_architecture()}\n")
        (self.root / "machine").write_text(f"{machine}\n")
        for program, text in FAKES.items():
            path = self.root / "bin" / program
            path.write_text(f"#!/bin/sh\n{NOTE}{text}")
            path.chmod(0o755)
        port = free_port()
        config = self.root / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{port}\nHostKey {site.folder / 'host'}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {site.folder / 'id.pub'}\nStrictModes no\nPasswordAuthentication no\n"
            f"PermitRootLogin yes\nMaxStartups 100\n"
            # SHLVL: bash leaves the user's own .bashrc alone then, which may take long or change PATH.
            "SetEnv SHLVL=2\n"
            f"ForceCommand exec env PISINK_ROOT={self.root} PATH={self.root}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            ' sh -c "$SSH_ORIGINAL_COMMAND"\n'
        )
        log = (self.root / "sshd.log").open("wb")
        self.server = subprocess.Popen([SSHD, "-D", "-e", "-f", config], stderr=log, start_new_session=True)
        log.close()
        wait_for(f"sshd of {name}: {self.root}/sshd.log", lambda: answers(port))
        site.alias(name, port)

    def config(self, extra="", role="secondary"):
        """A config for the node of this Pi."""
        return (
            f'role = "{role}"\nname = "{self.name}"\nlisten = "127.0.0.1:{self.node_port}"\n'
            f'data = "{self.root}/var/lib/pisink"\nbus = "sim"\nchips = ["sht3x@0x44"]\n{extra}'
        )

    def read(self, path):
        """A file's bytes, or None when it is not there."""
        file = self.root / path
        return file.read_bytes() if file.exists() else None

    def calls(self):
        """What the made-up programs were told."""
        return (self.read("calls") or b"").decode().splitlines()

    def leftovers(self):
        """What a deployment should not leave behind."""
        return [path for path in self.root.rglob("*") if path.name.endswith(".new") or "pisink-deploy-" in path.name]

    def snapshot(self):
        """All that is installed, by content and mode."""
        files = {}
        for folder in ("usr", "etc", "var/tmp", "lib", "var/lib/pisink-deploy", "var/lib/dpkg"):
            for path in sorted((self.root / folder).rglob("*")):
                if path.is_file():
                    files[str(path.relative_to(self.root))] = (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
        return files

    def close(self):
        """Ends the node and the ssh server, by the ids that we know."""
        pid = self.read("service.pid")
        if pid:
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.server.terminate()
        self.server.wait()


NOTE = 'echo "${0##*/} $*" >>"$PISINK_ROOT/calls"\n'
