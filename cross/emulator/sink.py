"""A pisink on this machine, as the primary that polls the Pis; and the comparison of its store with their journals."""

import collections
import contextlib
import csv
import io
import signal
import subprocess

from . import waiting
from .errors import Failed, check
from .pi import free_port

STOP_LIMIT_S = 30
# What a reading is, in the columns of an export. Its time is left out: the sink may know better than the Pi.
IDENTITY = ("journal", "seq")
CONTENT = ("node", "chip", "quantity", "unit", "value", "err")


class Sink:
    """A running primary. `addresses` are the nodes that it polls."""

    def __init__(self, binary, folder, addresses, *arguments):
        self.binary, self.folder = str(binary), folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.plots = folder / "plots"
        self.log = folder / "log"
        command = [
            self.binary, "run", "--role", "primary", "--name", "sink", "--data", str(folder / "data"), "--bus", "none",
            "--listen", f"127.0.0.1:{self.port}", "--plots", str(self.plots), *arguments,
        ]  # fmt: skip
        for address in addresses:
            command += ["--peer", address]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def rows(self):
        """Everything in the sink's store, as rows of its export."""
        done = subprocess.run(
            [self.binary, "export", "--data", str(self.folder / "data"), "--format", "csv"],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        if done.returncode != 0:
            # Before its first commit there is nothing to export.
            check(self.process.poll() is None, f"the sink on this machine has ended; its log: {self.tail()}")
            return []
        return list(csv.DictReader(io.StringIO(done.stdout)))

    def rows_of(self, node):
        """The sink's readings of one node."""
        return [row for row in self.rows() if row["node"] == node]

    def wait(self, look, limit_s, what):
        """Waits until `look`, given the sink's rows, returns something true; returns that."""
        try:
            return waiting.until(lambda: look(self.rows()), limit_s, what, every_s=0.25)
        except Failed as failure:
            raise Failed(f"{failure}; the sink's log: {self.tail()}") from failure

    def draw(self, *arguments):
        """Draws the plots now, and returns their files in the order of their names."""
        command = [self.binary, "plot", "--data", str(self.folder / "data"), "--out", str(self.plots), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        check(done.returncode == 0, f"`pisink plot` failed: {done.stderr.strip()}")
        return sorted(self.plots.glob("*.svg" if "--svg" in arguments else "*.png"))

    def last_lines(self, count):
        """The last lines of its log."""
        return self.log.read_text(errors="replace").splitlines()[-count:]

    def tail(self):
        """The last of its log, for a message."""
        return " | ".join(self.last_lines(4)) or "empty"

    def stop(self):
        """Ends it in order; by force when it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_LIMIT_S)
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()


def index(rows, where):
    """Content by identity; fails when a reading is there twice."""
    counts = collections.Counter(tuple(row[column] for column in IDENTITY) for row in rows)
    twice = [key for key, count in counts.items() if count > 1]
    check(not twice, f"{len(twice)} readings are twice in {where}, the first is {twice[:1]}")
    return {tuple(row[column] for column in IDENTITY): tuple(row[c] for c in CONTENT) for row in rows}


def compare(journal_rows, sink_rows, name):
    """Every reading of a Pi's journal is in the sink, once, as it was; returns how many. `sink_rows` are the newer."""
    own, held = index(journal_rows, f"{name}'s journal"), index(sink_rows, "the sink")
    check(own, f"{name}'s journal is empty")
    missing = [key for key in own if key not in held]
    check(
        not missing, f"{len(missing)} of {len(own)} readings of {name} are not in the sink, the first is {missing[:1]}"
    )
    changed = [key for key in own if own[key] != held[key]]
    first = [(own[key], held[key]) for key in changed[:1]]
    check(not changed, f"{len(changed)} readings of {name} differ in the sink, the first is {first}")
    for journal in {journal for journal, _ in own}:
        places = sorted(int(seq) for j, seq in own if j == journal)
        check(places == list(range(1, len(places) + 1)), f"{name}'s journal {journal} has holes")
    return len(own)


def wait_compared(sink, pi, limit_s=60):
    """Waits until the sink holds all that `pi` has journalled up to this moment, and compares; returns how many."""
    journal = pi.journal()
    last = {(row["journal"], row["seq"]) for row in journal}
    sink.wait(
        lambda rows: last <= {(row["journal"], row["seq"]) for row in rows},
        limit_s, f"all {len(last)} readings of {pi.name} to be in the sink",
    )  # fmt: skip
    return compare(journal, sink.rows(), pi.name)


def check_plots(sink, nodes):
    """Draws both plots; fails unless they have readings, and each node's name. Returns what was drawn, as a line."""
    pictures = sink.draw()
    check(len(pictures) == 2, f"there are {len(pictures)} pictures, not two")
    for picture in pictures:
        check(picture.read_bytes().startswith(b"\x89PNG\r\n"), f"{picture.name} is no PNG")
    # The same as text, in which can be seen what is drawn.
    for drawing in sink.draw("--svg"):
        text = drawing.read_text()
        check("no readings in this" not in text, f"{drawing.name} has no readings")
        absent = [node for node in nodes if node not in text]
        check(not absent, f"{drawing.name} does not name {', '.join(absent)}")
    return ", ".join(f"{picture.name} {picture.stat().st_size // 1024} KiB" for picture in pictures)
