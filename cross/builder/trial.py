"""Starts a binary under qemu-user: its version, a simulated chip, and a short run that stores, plots and answers.

That shows what readelf cannot: that the loader takes it, that the C code of SQLite runs, and that nothing it does here
needs a newer processor than the oldest it is for.
"""

import contextlib
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import tempfile
import time

from . import foreign
from .elf import Check
from .targets import ROOT

# Generous: qemu-user takes some milliseconds, a busy machine more.
CALL_MAX_S = 60
RUN_MAX_S = 60
# So many readings, and the store has been written more than once.
READINGS_MIN = 10
PNG = b"\x89PNG\r\n\x1a\n"


def judge(path, target):
    """What starting it shows."""
    with tempfile.TemporaryDirectory(prefix="pisink-") as folder:
        return [version(path, target), sensor(path, target), *node(path, target, pathlib.Path(folder))]


def call(path, target, *arguments):
    """What the binary prints, or how it ended."""
    try:
        done = subprocess.run(
            foreign.command(target, path, *arguments), env=clean(), capture_output=True, text=True,
            errors="replace", timeout=CALL_MAX_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"has not ended within {CALL_MAX_S} s"
    if done.returncode != 0:
        return None, ended(done.returncode, done.stderr)
    return done.stdout, ""


def clean():
    """The environment without settings of pisink or qemu."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PISINK_", "QEMU_", "RUST_LOG"))}


def ended(code, said):
    """How a program ended that should not have."""
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    # A signal inside the emulated program is this to the shell.
    last = (said.strip().splitlines() or ["it said nothing"])[-1]
    return f"{how}: {last}"


def version(path, target):
    """It starts at all."""
    manifest = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    wanted = "pisink " + re.search(r'^version = "(.*)"', manifest, re.MULTILINE).group(1)
    said, wrong = call(path, target, "--version")
    found = wrong or said.strip()
    why = f"it must start on a {target.cpu} and say {wanted!r}; another version is an older build"
    return Check("starts", found, found == wanted, why)


def sensor(path, target):
    """A simulated chip gives a value, which goes through the driver's arithmetic."""
    said, wrong = call(path, target, "sensors", "read", "--bus", "sim", "--chip", "sht3x@0x44")
    value = re.search(r"temperature\s+(-?[0-9.]+) Cel", said or "")
    found = wrong or (f"{value.group(1)} Cel" if value else f"no temperature in {said!r}")
    return Check("senses", found, bool(value), "`sensors read --bus sim --chip sht3x@0x44` must give a temperature")


def node(path, target, folder):
    """A primary with a simulated chip runs until it has stored, drawn and answered."""
    data, log = folder / "data", folder / "log"
    words = f"run --role primary --bus sim --chip sht3x@0x44 --interval 50ms --flush-interval 50ms --host=false \
--poll-interval 200ms --plot-interval 1s --listen 127.0.0.1:0 --data {data} --plots {folder / 'plots'}".split()
    with open(log, "w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            foreign.command(target, path, *words), env=clean(), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
        )
    try:
        checks = [stores(process, data), draws(process, folder / "plots"), answers(path, target, process, log)]
        process.terminate()
        code = process.wait(CALL_MAX_S)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        process.kill()
        process.wait()
    said = log.read_text(encoding="utf-8", errors="replace")
    found = "never" if code is None else "exit code 0" if code == 0 else ended(code, said)
    return [*checks, Check("stops", found, code == 0, f"SIGTERM must end it with exit code 0; its log:\n{said}")]


def until(process, look):
    """Looks until there is something to see, the process has ended, or it is too late."""
    end = time.monotonic() + RUN_MAX_S
    while time.monotonic() < end:
        seen = look()
        if seen or process.poll() is not None:
            return seen
        time.sleep(0.1)
    return None


def stores(process, data):
    """This machine's own SQLite reads what it has stored."""

    def look():
        with contextlib.suppress(sqlite3.Error):
            uri = f"file:{data / 'pisink.sqlite'}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True)) as store:
                count, good = store.execute("SELECT count(*), count(value) FROM readings").fetchone()
                return f"{count} readings" if count >= READINGS_MIN and good == count else None
        return None

    found = until(process, look)
    return Check("stores", found or "nothing", bool(found), f"{READINGS_MIN} good readings must be in its SQLite file")


def draws(process, plots):
    """A whole picture is there."""

    def look():
        with contextlib.suppress(OSError):
            data = (plots / "time-series.png").read_bytes()
            if data.startswith(PNG) and data.endswith(b"IEND\xaeB`\x82"):
                return f"a PNG of {len(data) >> 10} KiB"
        return None

    found = until(process, look)
    return Check("draws", found or "nothing", bool(found), "time-series.png must be a whole PNG file")


def answers(path, target, process, log):
    """It answers over TCP, asked by the same binary."""
    listens = until(process, lambda: re.search(r"listens on ([0-9.:]+)", log.read_text(encoding="utf-8")))
    said, wrong = call(path, target, "status", listens.group(1)) if listens else (None, "it does not listen")
    found = wrong or "its status"
    return Check("answers", found, bool(said), "`pisink status` must get an answer from it over TCP")
