"""The power is cut while the Pi samples and is polled, with its journal on the SD card: what was promised is there.

"Promised" is what the Pi said to anybody to be durable: the sink, which acknowledges it, and a witness that asks all
the time and acknowledges nothing.
"""

import functools
import json
import shutil
import socket
import subprocess
import threading
import time

from .. import waiting
from ..errors import Failed, check
from ..pi import tmp105
from ..sink import wait_compared

NAME = "power-cut"
ABOUT = (
    "power cut while sampling and polled, again and again: journal opens, what was acknowledged is there, it goes on"
)
IN_GATE = True

CUTS = 4
# The cut comes at a random moment so long after the first new reading is in the sink.
CUT_AFTER_S = (0.5, 4.0)
LIMIT_S = 90
NODE = "--bus pi:1 --chip tmp105@0x48 --interval 20ms --flush-interval 50ms --host=false"


def run(bench):
    """See ABOUT."""
    bench.say(f"seed {bench.seed}")
    pi = bench.pi("mast", [tmp105("air", 0x48)], sd=True)
    sink = None
    promised = {}
    for cut in range(1, CUTS + 2):
        what = f"cut {cut - 1}" if cut > 1 else "start"
        bench.boot(pi)
        pi.set_celsius("air", 10 + cut)
        pi.network_up()
        pi.start_node(NODE)
        if promised:
            with bench.verdict(f"after {what}: the journal opens, and what was promised is in it") as v:
                held = {(row["journal"], int(row["seq"])): said(row) for row in pi.journal()}
                check_promises(promised, held)
                files = pi.sh("ls /data/pisink").split()
                check(not [name for name in files if "damaged" in name], f"a store was moved aside: {files}")
                v.seen = f"all {len(promised)} promised readings are there; the journal has {len(held)}"
        sink = sink or bench.sink(pi, arguments=("--poll-interval", "100ms", "--deadline", "90ms", "--host=false"))
        with bench.verdict(f"after {what}: new readings reach the sink") as v:
            is_new = functools.partial(has_celsius, celsius=10 + cut)
            sink.wait(is_new, LIMIT_S, f"readings of {10 + cut} Cel, which is the temperature since this boot")
            v.seen = f"{len(sink.rows_of(pi.name))} in the sink"
        if cut > CUTS:
            break
        with bench.verdict(f"cut {cut}: the card's file system is sound") as v:
            v.seen = cut_power(bench, pi, sink, promised)
    with bench.verdict("at the end every reading of the journal is in the sink, once") as v:
        v.seen = f"{wait_compared(sink, pi)} readings compared one by one"


def has_celsius(rows, celsius):
    """Whether a reading has this value."""
    return any(row["value"] and float(row["value"]) == celsius for row in rows)


def cut_power(bench, pi, sink, promised):
    """Cuts the power at a random moment, notes what was promised until then, and checks the card."""
    witness = Witness(pi.port)
    after_s = bench.random.uniform(*CUT_AFTER_S)
    time.sleep(after_s)  # the cut's moment is meant to be random; nothing is waited for
    pi.cut_power()
    seen = witness.stop()
    promised.update(seen)
    for row in sink.rows_of(pi.name):
        promised[(row["journal"], int(row["seq"]))] = said(row)
    return f"after {after_s:.2f} s, {len(seen)} readings seen by the witness, {check_card(bench, pi)}"


def check_promises(promised, held):
    """All that was promised is in the journal, as it was said."""
    missing = sorted(key for key in promised if key not in held)
    check(not missing, f"{len(missing)} of {len(promised)} promised readings are gone, the first is {missing[:1]}")
    changed = [key for key in promised if promised[key] != held[key]]
    check(not changed, f"{len(changed)} promised readings have changed, the first is {changed[:1]}")


def said(row):
    """A row's value as a number, or its reason."""
    return row["err"] or float(row["value"])


def check_card(bench, pi):
    """Replays the log of a copy of the card and has every structure checked; the original stays as the cut left it."""
    copy = bench.run_folder / "card-copy"
    shutil.copyfile(pi.sd, copy)
    replay = e2fsck(bench, "-y", "-E", "journal_only", str(copy))
    check(replay.returncode in (0, 1), f"e2fsck cannot replay the log: {replay.stdout.strip()[-300:]}")
    found = e2fsck(bench, "-f", "-n", str(copy))
    copy.unlink()
    check(found.returncode == 0, f"after the log's replay e2fsck finds: {found.stdout.strip()[-600:]}")
    return "e2fsck finds nothing"


def e2fsck(bench, *arguments):
    """Runs e2fsck."""
    return subprocess.run(
        ["e2fsck", *arguments], env=bench.parts.environment(), capture_output=True, text=True, check=False, timeout=120
    )


class Witness:
    """Asks a node for all it has, over and over, acknowledges nothing, and keeps what it was told, until it is stopped."""

    def __init__(self, port):
        self.port = port
        self.told = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        waiting.until(lambda: self.told, LIMIT_S, "the witness to be told something")

    def stop(self):
        """Ends it, and returns (journal, place) and value of each reading that it was told."""
        self._is_over.set()
        self._thread.join(30)
        if self._thread.is_alive():
            raise Failed("the witness does not end")
        return self.told

    def _run(self):
        while not self._is_over.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as link:
                    self._ask(link.makefile("rwb"))
            except (OSError, ValueError):
                continue  # cut off; an unfinished line promises nothing

    def _ask(self, stream):
        journal, after, number = None, 0, 0
        while not self._is_over.is_set():
            number += 1
            value = {"after": after, "taken": 0, "max": 2000} | ({"journal": journal} if journal else {})
            message = {"id": str(number), "sender": "witness", "key": "POLL", "value": value}
            stream.write(json.dumps(message).encode() + b"\r\n")
            stream.flush()
            line = stream.readline()
            if not line.endswith(b"\n"):
                return
            answer = json.loads(line)
            check(answer.get("key") == "READINGS", f"a poll is answered by {line[:300]!r}")
            value = answer["value"]
            journal = value["journal"]
            for at, record in enumerate(value["pack"]):
                self.told[(journal, value["first"] + at)] = record["err"] if "err" in record else record["v"]
            after = value["first"] + len(value["pack"]) - 1 if value["pack"] else after
