"""Debian packages without root: a private apt beside the system's, with the mirrors that the system's apt knows.

The private apt keeps its lists and downloads in a folder of its own, so nothing of the system changes; it knows the
system's installed packages, so that only what is missing is fetched; and it trusts Debian's archive keys only.
"""

import pathlib
import re
import subprocess
import urllib.parse

from .errors import SetupError

KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
DPKG_STATUS = "/var/lib/dpkg/status"
# What a release line of Debian's own archive may be called, beside the code name.
RELATIVE_SUITES = {"oldoldstable", "oldstable", "stable", "testing", "unstable", "sid"}
# Releases whose QEMU has no I2C on the Pi. Testing and unstable have no backports to ask for.
WANT_BACKPORTS = {"bookworm"}

INST = re.compile(r"^Inst (?P<name>\S+) (?:\[[^\]]*\] )?\((?P<version>\S+) .*\[(?P<arch>\w+)\]\)")


def parse_inst(lines):
    """Packages of `apt-get --simulate install`, as (name, version, architecture)."""
    matches = (INST.match(line) for line in lines)
    return [(m["name"].partition(":")[0], m["version"], m["arch"]) for m in matches if m]


def version_key(version):
    """Orders upstream versions like 10.0.2 and 7.2: the numbers of their first part."""
    upstream = version.partition(":")[2] if ":" in version else version
    return tuple(int(number) for number in re.findall(r"\d+", re.split(r"[+~-]", upstream)[0]))


def debian_sources(targets, codename):
    """(URI, suite) of Debian's own archives among `URI|release|component` lines, each once, in order."""
    found = []
    for target in targets:
        uri, release, component = (target.split("|") + ["", ""])[:3]
        suite = re.split(r"[-/]", release)[0]
        is_debians = component == "main" and suite in RELATIVE_SUITES | {codename}
        if is_debians and "backports" not in release and (uri, release) not in found:
            found.append((uri, release))
    return found


def sources_text(sources, codename, architectures, keyring):
    """A deb822 file for these archives; where Debian's own QEMU is too old, with the backports of the first one."""

    def stanza(uri, suite):
        signed = f"Signed-By: {keyring}\n" if keyring else ""
        return f"Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\nArchitectures: {architectures}\n{signed}"

    base = next((uri for uri, release in sources if release in RELATIVE_SUITES | {codename}), None)
    backports = [(base, f"{codename}-backports")] if base and codename in WANT_BACKPORTS else []
    return "\n".join(stanza(uri, release) for uri, release in [*sources, *backports])


class Apt:
    """The private apt, in `folder`."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        self.conf = self.folder / "apt.conf"
        self.arch = run(["dpkg", "--print-architecture"]).strip()

    def update(self):
        """Writes the configuration anew and fetches the lists."""
        for part in ("state/lists/partial", "cache/archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self.codename = codename()
        targets = run([
            "apt-get", "-o", f"Dir::State={self.folder}/state", "indextargets", "--no-release-info",
            "--format", "$(REPO_URI)|$(RELEASE)|$(COMPONENT)", "Created-By: Packages",
        ]).splitlines()  # fmt: skip
        sources = debian_sources(targets, self.codename)
        if not sources:
            raise SetupError(
                f"apt knows no archive of Debian {self.codename} here; the emulated Pi boots Debian's kernel: run this"
                " on Debian, or in a Debian container"
            )
        keyring = next((path for path in KEYRINGS if pathlib.Path(path).exists()), None)
        architectures = " ".join(dict.fromkeys((self.arch, "arm64")))
        (self.folder / "debian.sources").write_text(sources_text(sources, self.codename, architectures, keyring))
        self.conf.write_text(self.configuration())
        self.apt_get("update", "-q")

    def configuration(self):
        """What differs from the system's apt; hooks of the system's are not ours to run."""
        return "\n".join((
            "#clear APT::Update::Pre-Invoke;", "#clear APT::Update::Post-Invoke;",
            "#clear APT::Update::Post-Invoke-Success;", "#clear DPkg::Post-Invoke;", "#clear APT::Architectures;",
            f'Dir::State "{self.folder}/state";', f'Dir::State::status "{DPKG_STATUS}";',
            f'Dir::Cache "{self.folder}/cache";', f'Dir::Etc::sourcelist "{self.folder}/debian.sources";',
            'Dir::Etc::sourceparts "/dev/null";', 'Dir::Etc::preferencesparts "/dev/null";',
            f'APT::Architectures {{ "{self.arch}"; "arm64"; }};', 'Acquire::Languages "none";',
            'APT::Sandbox::User "";', "",
        ))  # fmt: skip

    def apt_get(self, *arguments, cwd=None):
        """Runs apt-get with the private configuration and returns what it prints."""
        return run(["apt-get", "-c", str(self.conf), *arguments], cwd=cwd)

    def apt_cache(self, *arguments):
        """Runs apt-cache with the private configuration and returns what it prints."""
        return run(["apt-cache", "-c", str(self.conf), *arguments])

    def versions(self, package):
        """(version, suite it comes from) of a package, newest first."""
        lines = (line.split("|") for line in self.apt_cache("madison", package).splitlines())
        found = [(parts[1].strip(), parts[2].split()[1].partition("/")[0]) for parts in lines if len(parts) >= 3]
        return sorted(found, key=lambda entry: version_key(entry[0]), reverse=True)

    def missing(self, package, suite=None):
        """What has to be fetched for `package` (from `suite`) to run here, as (name, version, architecture)."""
        choice = ["-t", suite] if suite else []
        return parse_inst(
            self.apt_get("--simulate", "install", "--no-install-recommends", *choice, package).splitlines()
        )

    def download(self, packages, folder):
        """Fetches (name, version, architecture) packages into `folder`; returns their files."""
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [
            f"{name}={version}" if arch == "all" else f"{name}:{arch}={version}" for name, version, arch in packages
        ]
        before = set(folder.glob("*.deb"))
        self.apt_get("download", "-q", *wanted, cwd=folder)
        files = sorted(set(folder.glob("*.deb")) - before)
        if len(files) != len(packages):
            names = ", ".join(wanted)
            raise SetupError(f"apt-get download brought {len(files)} of {len(packages)} packages: {names}")
        return files


def codename():
    """Debian's code name of this system, as in `bookworm`."""
    for line in pathlib.Path("/etc/os-release").read_text().splitlines():
        key, _, value = line.partition("=")
        if key == "VERSION_CODENAME":
            return value.strip().strip('"')
    return "sid"


def unpack(files, folder):
    """Unpacks .deb files into `folder`, without running anything of them."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        run(["dpkg", "-x", str(file), str(folder)])


def run(command, cwd=None, env=None, limit_s=900):
    """Runs a command to its end and returns its output; its own words are in the error when it fails."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=limit_s, check=False, errors="replace"
        )
    except FileNotFoundError as error:
        raise SetupError(f"{command[0]} is not here; this needs Debian's apt and dpkg") from error
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"{' '.join(command[:4])} took longer than {limit_s} s") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-1500:]
        raise SetupError(f"{urllib.parse.unquote(' '.join(command))} failed:\n{words}")
    return done.stdout
