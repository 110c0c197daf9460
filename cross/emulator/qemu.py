"""One QEMU process and its control socket (QMP, docs/interop/qmp-spec.rst of QEMU)."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess

from . import waiting
from .errors import Failed, SetupError

QMP_LIMIT_S = 30


class Qemu:
    """A running QEMU with `arguments`; its serial console is its standard input and output."""

    def __init__(self, parts, name, arguments, run_folder, log_folder):
        self.name = name
        self.qmp_path = pathlib.Path(run_folder) / f"{name}.qmp"
        self.qmp_path.unlink(missing_ok=True)
        self._qmp = None
        self._errors = (log_folder / f"{name}.qemu").open("ab")
        command = [
            # Not left behind, should this process be killed.
            "setpriv", "--pdeathsig", "KILL", parts.qemu, *parts.qemu_data(),
            "-qmp", f"unix:{self.qmp_path},server=on,wait=off", *arguments,
        ]  # fmt: skip
        try:
            # A session of its own: Ctrl-C is for us to handle, and the Pi's end is ours to order.
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
                env=parts.environment(), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise SetupError(f"QEMU cannot be started: {error}") from error

    def command(self, execute, **arguments):
        """Runs a QMP command and returns its result."""
        if self._qmp is None:
            self._connect()
        self._qmp.write(json.dumps({"execute": execute, "arguments": arguments}).encode() + b"\n")
        self._qmp.flush()
        while line := self._qmp.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise Failed(f"{self.name}: QEMU refuses {execute} {arguments}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise Failed(f"{self.name}: QEMU ended during {execute}")

    def _connect(self):
        def attempt():
            link = socket.socket(socket.AF_UNIX)
            link.settimeout(QMP_LIMIT_S)
            try:
                link.connect(str(self.qmp_path))
            except OSError:
                link.close()
                if self.process.poll() is not None:
                    raise SetupError(f"QEMU for {self.name} ended at once; see {self._errors.name}") from None
                return None
            return link

        self._qmp = waiting.until(attempt, QMP_LIMIT_S, f"{self.name}'s QMP socket").makefile("rwb")
        self._qmp.readline()
        self.command("qmp_capabilities")

    def kill(self):
        """The power goes: nothing is flushed, nobody is told."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self._qmp, self.process.stdin, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._qmp = None
