"""What a scenario is given: Pis to boot, a sink to start, and verdicts to give."""

import contextlib
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

from . import scene
from .errors import Failed, SetupError
from .pi import Lab
from .sink import Sink

# What ends a scenario: a program that hangs or answers nonsense is as much a failure as a wrong answer.
FAILURES = (Failed, SetupError, subprocess.SubprocessError, OSError, ValueError, KeyError)


class Printer:
    """Prints verdicts: lines for people, or JSON lines for machines."""

    def __init__(self, as_json, out=sys.stdout):
        self.as_json, self.out = as_json, out
        on_terminal = out.isatty()
        self.green, self.red, self.plain = ("\033[32m", "\033[31m", "\033[0m") if on_terminal else ("", "", "")

    def say(self, text):
        """A line about what goes on, kept out of the way of the verdicts."""
        print(f"   .. {text}", file=sys.stderr if self.as_json else self.out, flush=True)

    def lines(self, of, lines):
        """What there is to see of something, kept out of the way of the verdicts too."""
        for line in lines:
            print(f"   |  {of}: {line}", file=sys.stderr if self.as_json else self.out, flush=True)

    def verdict(self, scenario, what, is_good, seen, seconds):
        """One verdict."""
        if self.as_json:
            record = {"scenario": scenario, "verdict": what, "ok": is_good, "seen": seen, "seconds": round(seconds, 2)}
            print(json.dumps(record), file=self.out, flush=True)
            return
        word = f"{self.green}ok{self.plain}  " if is_good else f"{self.red}FAIL{self.plain}"
        print(f"{word} {scenario}: {what}: {seen} ({seconds:.1f} s)", file=self.out, flush=True)


def words(failure):
    """What a failure says; Python's own say too little without their kind."""
    return str(failure) if isinstance(failure, Failed | SetupError) else f"{type(failure).__name__}: {failure}"


class Verdict:
    """A verdict that is being reached; `seen` is what it rests on."""

    seen = "as it should be"


class Bench:
    """One scenario's means. Everything that it started has ended when it is left."""

    def __init__(self, scenario, parts, binary, host_binary, printer, keep, seed):
        self.scenario, self.parts, self.binary, self.host_binary = scenario, parts, binary, host_binary
        self.printer, self.seed = printer, seed
        self.random = random.Random(seed)
        self.failures = 0
        self._keep = keep
        self._sinks = []

    def __enter__(self):
        # Short: the path of a socket may have 107 bytes.
        self.run_folder = pathlib.Path(tempfile.mkdtemp(prefix="pisink-pi-"))
        self.log_folder = (self._keep / self.scenario) if self._keep else self.run_folder / "logs"
        if self._keep:
            shutil.rmtree(self.log_folder, ignore_errors=True)
        self.log_folder.mkdir(parents=True)
        self.lab = Lab(self.parts, self.binary, self.run_folder, self.log_folder)
        return self

    def __exit__(self, kind, _error, _traceback):
        if kind and issubclass(kind, FAILURES):
            self._show()
        for pi in self.lab.pis if self._keep and kind is not KeyboardInterrupt else ():
            with contextlib.suppress(Failed):
                (self.log_folder / f"{pi.name}.node-log").write_text(pi.node_log())
        for sink in self._sinks:
            sink.stop()
        self.lab.close()
        shutil.rmtree(self.run_folder, ignore_errors=True)

    def _show(self):
        """Shows what there is to see of everything that runs, for whoever wants to know why a verdict failed."""
        for pi in self.lab.pis:
            self.printer.lines(pi.name, scene.of_pi(pi))
        for sink in self._sinks:
            self.printer.lines("sink on this machine", sink.last_lines(scene.LOG_LINES))

    def say(self, text):
        """A line about what goes on."""
        self.printer.say(text)

    def pi(self, name, chips, **options):
        """A Pi that is not switched on yet."""
        return self.lab.pi(name, chips, **options)

    def boot(self, *pis):
        """Boots Pis side by side."""
        self.say(f"booting {', '.join(pi.name for pi in pis)}")
        self.lab.boot(*pis)

    def sink(self, *pis, name="sink", arguments=()):
        """A primary on this machine that polls these Pis."""
        addresses = [f"127.0.0.1:{pi.port}" for pi in pis]
        sink = Sink(self.host_binary, self.log_folder / name, addresses, *arguments)
        self._sinks.append(sink)
        return sink

    @contextlib.contextmanager
    def verdict(self, what):
        """Around what leads to one verdict: a failure inside is its FAIL and ends the scenario."""
        begun, verdict = time.monotonic(), Verdict()
        try:
            yield verdict
        except FAILURES as failure:
            self.failures += 1
            self.printer.verdict(self.scenario, what, False, words(failure), time.monotonic() - begun)
            raise
        self.printer.verdict(self.scenario, what, True, verdict.seen, time.monotonic() - begun)
