"""One Pi's turn: look, choose, copy, have the Pi install it, and tell how that ended."""

import hashlib
import io
import pathlib
import tarfile
import time
from dataclasses import asdict, dataclass

from . import files
from .ssh import Interrupted, SshError

ON_PI = pathlib.Path(__file__).with_name("on_pi.sh").read_bytes()
# Unpacks into a folder that apt's own user can read.
RECEIVE = """mkdir -m 755 "$1" && tar -xof - -C "$1" && exit 0
echo "unpacking failed; $(df -Pk "${1%/*}" | tail -n 1 | tr -s ' ' | cut -d ' ' -f 4) kB are free in ${1%/*}" >&2
exit 1"""
COPY_BYTES_PER_S = 20_000  # slower than that, and the link is not worth waiting for
COPY_MIN_S = 60
INSTALL_S = 1200  # apt on a Pi Zero, its lock, a package that checks a large store; health checks come on top
RECONNECTS = 5  # while the Pi installs; it goes on by itself
RECONNECT_WAIT_S = 3
GOOD = ("deployed", "installed", "would deploy")


@dataclass
class Result:
    """What became of one Pi."""

    host: str
    arch: str = ""
    file: str = ""
    from_version: str = ""
    to_version: str = ""
    result: str = "failed"
    seconds: float = 0.0
    why: str = ""
    next_step: str = ""

    @property
    def good(self):
        return self.result in GOOD

    def as_json(self):
        return {**asdict(self), "seconds": round(self.seconds, 1)}


class Refused(Exception):
    """This Pi is left as it is: why, and the next step."""

    def __init__(self, why, next_step):
        super().__init__(why)
        self.next_step = next_step


class Deployment:
    """Brings pisink to one Pi. `say(text)` is told each step; `abandon` is an Event for those who cannot even wait."""

    def __init__(self, connection, options, folder, say, abandon):
        self.pi, self.options, self.folder, self.say, self.abandon = connection, options, folder, say, abandon
        self.result = Result(connection.host)

    def run(self):
        """The whole turn; never raises for what a Pi, a network or a file does."""
        begun = time.monotonic()
        result = self.result
        try:
            self.pi.open()
            self.turn()
        except (Refused, SshError, files.NoFile) as error:
            result.result, result.why, result.next_step = "failed", str(error), error.next_step
        except Interrupted:
            result.result, result.why = "interrupted", "stopped before anything was changed"
            result.next_step = "run scripts/deploy again"
        finally:
            self.pi.close()
            result.seconds = time.monotonic() - begun
        return result

    def turn(self):
        """The steps in their order."""
        self.say("looking")
        facts = self.probe()
        payload = self.payload(facts)
        config = self.config(facts)
        unit = self.unit(facts, payload, config)
        if self.options.dry_run:
            self.result.result = "would deploy"
            self.say(f"would copy {payload.name} ({size(payload.data)}){self.details(config, unit)}")
            return
        room = f"{facts['rooms']}/pisink-deploy-{self.folder}"
        try:
            self.copy(room, payload, config, unit)
            self.pi.check()
        except (Interrupted, SshError):
            self.clean(room)
            raise
        self.install(room, payload)

    @staticmethod
    def details(config, unit):
        """What goes with the program, in words."""
        return "".join([", write the config" if config else "", ", write the unit" if unit else "", ", restart, check"])

    def probe(self):
        """What the Pi is and has."""
        done = self.pi.run(["sh", "-s", "--", "probe"], data=ON_PI)
        facts = dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)
        if done.code != 0 or "rooms" not in facts:
            raise SshError(last_line(done.err, "looking failed without a word"), f"try: ssh {self.pi.host} sh -c true")
        self.result.from_version = facts.get("version", "")
        self.result.arch = files.architecture(facts) or ""
        if not self.result.arch:
            found = facts.get("dpkg") or facts.get("machine") or "nothing"
            raise Refused(f"pisink is not built for {found}", "deploy to arm64, armhf, ARMv6 or amd64")
        if facts.get("sudo") != "yes":
            user = facts.get("user", "USER")
            line = f"echo '{user} ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/010_{user}"
            raise Refused(f"{user} may not use sudo without a password", f"on the Pi: {line}; or deploy to root@")
        return facts

    def payload(self, facts):
        """The file for this Pi, which must suit how pisink is installed there now."""
        options, arch = self.options, self.result.arch
        kind = options.kind
        if kind is None and options.file is None and facts.get("local_program"):
            kind = "binary"
        payload = files.choose(arch, options.source, kind, options.file)
        host = self.pi.host
        ours = {"deb": "a package", "tarball": "a tarball", "binary": "a bare binary"}
        there = {
            "deb": facts.get("package") and "sudo apt-get remove pisink",
            "tarball": facts.get("tarball")
            and "sudo systemctl disable --now pisink; sudo rm -f /usr/bin/pisink"
            " /usr/lib/systemd/system/pisink.service",
            "binary": facts.get("local_program")
            and "sudo systemctl disable --now pisink; sudo rm -f"
            " /usr/local/bin/pisink /etc/systemd/system/pisink.service",
        }
        for kind, removal in there.items():
            if removal and kind != payload.kind:
                raise Refused(
                    f"pisink is there as {ours[kind]}, and {payload.name} is {ours[payload.kind]}",
                    f"deploy {ours[kind]} again; or first: ssh {host} '{removal}'",
                )
        self.result.file = payload.name
        return payload

    def config(self, facts):
        """The config to write, or None; a config that somebody changed there is not overwritten."""
        if self.options.config is None:
            return None
        name = self.pi.host.rpartition("@")[2]
        path = pathlib.Path(self.options.config.replace("{host}", name))
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Refused(f"cannot read {path}: {error.strerror}", f"write a config for {name}") from error
        if facts.get("config_hash") == hashlib.sha256(data).hexdigest():
            return None
        if facts.get("config_changed") and not self.options.force_config:
            raise Refused(
                "/etc/pisink/pisink.toml was changed there",
                f"compare: ssh {self.pi.host} sudo cat /etc/pisink/pisink.toml | diff - {path};"
                " then leave --config out, or give --force-config (the old one is kept as pisink.toml.old)",
            )
        return data

    def unit(self, facts, payload, config):
        """The unit for a bare binary, if one was given."""
        if payload.kind != "binary" or self.options.unit is None:
            return None
        unit = self.options.unit.read_bytes()
        if not facts.get("config_hash") and config is None:
            raise Refused(
                "there is no /etc/pisink/pisink.toml there, and the service needs one",
                "give --config FILE; `pisink init --out FILE` writes one",
            )
        return unit.replace(b"/usr/bin/pisink", b"/usr/local/bin/pisink")

    def copy(self, room, payload, config, unit):
        """Brings the files into a folder of their own on the Pi."""
        self.say(f"copying {payload.name} ({size(payload.data)})")
        files_there = {"on_pi.sh": ON_PI, "config": config, "unit": unit, payload.name: payload.data}
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name, data in files_there.items():
                if data is not None:
                    entry = tarfile.TarInfo(name)
                    entry.size, entry.mode = len(data), 0o644
                    tar.addfile(entry, io.BytesIO(data))
        data = packed.getvalue()
        receive = ["sh", "-c", RECEIVE, "receive", room]
        done = self.pi.run(receive, data=data, root=True, timeout_s=COPY_MIN_S + len(data) / COPY_BYTES_PER_S)
        if done.code != 0:
            raise SshError(
                f"copying: {last_line(done.err, 'it failed without a word')}",
                f"make room: ssh {self.pi.host} df -h / /var/tmp",
            )

    def install(self, room, payload):
        """Has the Pi do it, and listens. The Pi ends by itself what it has begun, whatever the connection does."""
        options = self.options
        settings = {
            "kind": payload.kind,
            "file": payload.name,
            "sha256": payload.sha256,
            "status": options.status or "",
            "health_s": options.health_timeout,
            "settle_s": options.settle,
        }
        said, logs, outputs, going_back = {}, [], [], False
        try:
            for key, value in self.words_of(room, [f"{key}={value}" for key, value in settings.items()]):
                if key == "step":
                    self.say(value)
                    going_back = value.startswith("taking it back")
                elif key in ("log", "note"):
                    logs.append(value)
                    self.say(f"| {value}")
                elif key == "output" and value.strip():
                    outputs += [] if going_back else [value.strip()]  # of dpkg or cp: the last may be the reason
                else:
                    said[key] = value
        except (Interrupted, SshError) as error:
            self.result.result, self.result.why = "unknown", f"not waited for: {error or 'interrupted'}"
            self.result.next_step = f"the Pi ends it by itself; then: ssh {self.pi.host} tail -n 3 {room}/log"
            return
        self.tell(said, logs or outputs, room)

    def words_of(self, room, settings):
        """The pairs that `install` says, from the first on, also over a connection that breaks."""
        limit_s = INSTALL_S + 2 * self.options.health_timeout
        seen = 0
        for attempt in range(RECONNECTS + 1):
            try:
                verb = ["follow", room] if attempt else ["start", room, *settings]
                lines = self.pi.lines(["sh", f"{room}/on_pi.sh", *verb], limit_s, root=True, halt=self.abandon)
                for number, line in enumerate(lines):
                    if number >= seen:
                        seen = number + 1
                        key, equals, value = line.partition("=")
                        known = equals and key in ("step", "log", "note", "to", "why", "result")
                        yield (key, value) if known else ("output", line)
                return
            except SshError as error:
                if attempt == RECONNECTS:
                    raise
                self.say(f"the connection broke ({error}); the Pi goes on, connecting again")
                self.abandon.wait(RECONNECT_WAIT_S)

    def tell(self, said, logs, room):
        """The result in the Pi's words, with the next step."""
        result, host = self.result, self.pi.host
        result.to_version, result.why = said.get("to", ""), said.get("why", "")
        result.result = said.get("result", "broken")
        look = f"ssh {host} sudo journalctl -u pisink -n 30"
        result.next_step = {
            "deployed": "",
            "installed": "no service is there yet: give --unit FILE and --config FILE",
            "failed": "mend that, and deploy again",
            "rolled-back": f"{result.from_version} runs on; {look}",
            "removed": look,
        }.get(result.result, look)
        if result.result == "broken" and not result.why:
            result.why = "the installation ended without a word"
            result.next_step = f"ssh {host} tail {room}/log"
        if result.result in ("rolled-back", "removed", "broken") and logs:
            result.why += f" ({logs[-1]})"

    def clean(self, room):
        """Takes our folder away; a Pi that is gone keeps it until a later deployment finds it."""
        try:
            self.pi.run(["rm", "-rf", room], root=True, protected=True)
        except SshError:
            self.say(f"{room} is left there; a later deployment takes it away")


def last_line(text, otherwise):
    """The last line of what a command said."""
    return (text.strip().splitlines() or [otherwise])[-1]


def size(data):
    """Bytes for people."""
    return f"{len(data) / 1e6:.1f} MB" if len(data) >= 100_000 else f"{len(data) / 1e3:.1f} kB"
