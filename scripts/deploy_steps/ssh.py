"""Talks to one Pi by ssh: one connection that all commands share, bounded in time, and errors that say what to do."""

import select
import shlex
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

CONNECT_S = 10  # the other end's first answer
LOGIN_S = 30  # connection and login together
COMMAND_S = 60  # a small command
CLOSE_S = 2
ASK_S = 0.2  # how often a wait looks whether it is to stop

OPTIONS = [
    # Nothing may ask: several Pis at once would all ask on one terminal.
    *("-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_S}", "-o", "ConnectionAttempts=1"),
    # A Pi that is switched off in the middle is noticed within 20 s.
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=4"),
    *("-o", "LogLevel=ERROR", "-o", "RemoteCommand=none", "-o", "ForwardAgent=no", "-o", "ForwardX11=no"),
    *("-o", "ControlPersist=no"),
]

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}

# A command uses the connection that is there, or makes one for itself when that has broken.
SHARED = ["-o", "ControlMaster=no"]

# Root, or whoever may be root without a password.
AS_ROOT = 'if [ "$(id -u)" -eq 0 ]; then exec "$@"; fi; exec sudo -n "$@"'

# What ssh says -> what to do about it. {host} is the Pi as it was given.
ADVICE = (
    ("permission denied", "ssh-copy-id {host}"),
    ("identification has changed", "if the card was flashed anew: ssh-keygen -R {name}, then ssh {host} once"),
    ("host key verification failed", "ssh {host} once and compare the key; or give --accept-new-keys"),
    ("could not resolve", "is the name right? try {name}.local, or the address"),
    ("connection refused", "enable ssh on the Pi: sudo raspi-config nonint do_ssh 0"),
    ("timed out", "is it switched on and on this network? ping {name}"),
    ("no route to host", "is it switched on and on this network? ping {name}"),
    ("bad configuration", "see the ssh configuration that it names"),
)


class SshError(Exception):
    """The Pi cannot be talked to, or a command failed there: why, and the next step."""

    def __init__(self, why, next_step):
        super().__init__(why)
        self.next_step = next_step


class Interrupted(Exception):
    """The user has asked to stop."""


@dataclass
class Done:
    """What a command gave."""

    code: int
    out: str
    err: str


class Connection:
    """An ssh connection to `host`. `stop` is an Event that ends whatever waits, but for what is `protected`."""

    def __init__(self, host, socket, extra, stop):
        self.host, self.stop = host, stop
        self.command = ["ssh", "-T", *OPTIONS, *extra, "-S", socket]
        self.master = None

    def open(self):
        """Logs in; later commands use this connection."""
        # It says that it is in, and ends with our end of the pipe, so that it does not outlive us.
        hold = shlex.join(["sh", "-c", "echo in; read -r _"])
        self.master = self.start(["-o", "ControlMaster=yes", "--", self.host, hold], **PIPES)
        watchdog = threading.Timer(LOGIN_S, self.master.kill)
        watchdog.start()
        try:
            while not select.select([self.master.stdout], [], [], ASK_S)[0]:
                self.check()
            if self.master.stdout.readline().strip() != b"in":
                said = self.master.communicate()[1].decode(errors="replace")
                raise self.error(said or f"timed out: no login within {LOGIN_S} s")
        finally:
            watchdog.cancel()

    def close(self):
        """Ends the connection."""
        if self.master is not None:
            for pipe in (self.master.stdin, self.master.stdout, self.master.stderr):
                pipe.close()
            try:
                self.master.wait(timeout=CLOSE_S)
            except subprocess.TimeoutExpired:
                end(self.master)

    def start(self, arguments, **pipes):
        """An ssh process that the terminal's Ctrl-C does not reach: who started it ends it."""
        try:
            # Unbuffered, for select() knows nothing of what waits in a buffer of ours.
            return subprocess.Popen([*self.command, *arguments], start_new_session=True, bufsize=0, **pipes)
        except FileNotFoundError as error:
            raise SshError("there is no ssh here", "install openssh-client") from error

    def check(self, protected=False):
        """Raises when the user has asked to stop."""
        if self.stop.is_set() and not protected:
            raise Interrupted

    def run(self, argv, data=b"", root=False, timeout_s=COMMAND_S, protected=False):
        """Runs a command on the Pi with `data` as its input."""
        self.check(protected)
        argv = ["sh", "-c", AS_ROOT, "-", *argv] if root else argv
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            process = self.start([*SHARED, "--", self.host, shlex.join(argv)], **{**PIPES, "stdin": file})
        deadline = time.monotonic() + timeout_s
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=ASK_S)
                    break
                except subprocess.TimeoutExpired:
                    self.check(protected)
                    if time.monotonic() > deadline:
                        raise self.error(f"timed out: no end within {timeout_s:.0f} s") from None
        finally:
            end(process)
        done = Done(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
        if done.code == 255:  # ssh's own failure
            raise self.error(done.err)
        return done

    def lines(self, argv, timeout_s, root=False, halt=None):
        """The lines that a command prints, as they come; `halt` is an Event that ends the wait."""
        argv = ["sh", "-c", AS_ROOT, "-", *argv] if root else argv
        process = self.start(
            [*SHARED, "--", self.host, shlex.join(argv)],
            **{**PIPES, "stdin": subprocess.DEVNULL},
        )
        watchdog = threading.Timer(timeout_s, process.kill)
        watchdog.start()
        try:
            while True:
                if not select.select([process.stdout], [], [], ASK_S)[0]:
                    if halt is not None and halt.is_set():
                        raise Interrupted
                    continue
                line = process.stdout.readline()
                if not line:
                    break
                yield line.decode(errors="replace").rstrip("\n")
            said = process.communicate()[1].decode(errors="replace")
            if process.returncode != 0:
                raise self.error(said)
        finally:
            watchdog.cancel()
            end(process)

    def error(self, said):
        """What ssh said as an error: its last line, and what to do about it."""
        text = [line for line in said.strip().splitlines() if line.strip(" @\r")] or ["the connection broke"]
        changed = "REMOTE HOST IDENTIFICATION HAS CHANGED"
        why = changed if changed in said else text[-1].strip()
        return SshError(why, self.advice(said))

    def advice(self, said):
        """The next step."""
        name = self.host.rpartition("@")[2]
        for words, advice in ADVICE:
            if words in said.lower():
                return advice.format(host=self.host, name=name)
        return f"try by hand: ssh {self.host}"


def end(process):
    """Ends a process of ours if it still runs."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
