"""The figure: from "network up" on a Pi that has just booted to its first reading stored at the sink.

The sink runs before the Pi is switched on, so its connections have been refused for a while, as after a power failure
at a site. The node starts before its network is there, as a service does. The clock starts when the guest says that its
interface is up, and stops when the reading is committed in the sink's file.
"""

import sqlite3
import statistics
import time

from . import waiting
from .errors import Failed
from .pi import NODE_PORT, tmp105

BOOTS = 5
TARGET_S = 1.0
LOOK_EVERY_S = 0.005
LIMIT_S = 60
# As an unchanged configuration has it: a measurement and a round each second.
NODE = f"--role secondary --name figure --listen 0.0.0.0:{NODE_PORT} --bus pi:1 --chip tmp105@0x48 --host=false"


def run(bench, printer):
    """Boots, measures, prints a table; returns 1 when a boot missed the target."""
    rows = []
    for boot in range(1, BOOTS + 1):
        with bench(f"figure-{boot}") as means:
            rows.append(measure(means))
        printer.say(f"boot {boot}: {rows[-1][1]:.3f} s from network up to the first reading stored at the sink")
    print("boot  switched on to network up  network up to reading at the sink  readings that came with it")
    for boot, (boot_s, reading_s, count) in enumerate(rows, start=1):
        print(f"{boot:>4}  {boot_s:>23.1f} s  {reading_s:>31.3f} s  {count:>26}")
    times = [row[1] for row in rows]
    print(f"median {statistics.median(times):.3f} s, longest {max(times):.3f} s, target {TARGET_S:g} s")
    return 0 if max(times) < TARGET_S else 1


def measure(bench):
    """One boot: seconds from the switch to network up, from there to the reading, and how many came at once."""
    pi = bench.pi("figure", [tmp105("air", 0x48)], is_reachable=False)
    sink = bench.sink(pi, arguments=("--host=false",))
    database = sink.folder / "data/pisink.sqlite"
    waiting.until(database.exists, LIMIT_S, "the sink's store")
    switched_on = time.monotonic()
    bench.boot(pi)
    pi.set_celsius("air", 21.5)
    pi.sh(f"node {NODE}")
    pi.sh(
        "timeout 60 sh -c 'until pisink export --data /data/pisink 2>/dev/null | grep -q figure; do sleep 0.1; done'",
        90,
    )
    up = pi.network_up()
    # Any sooner, and QEMU would take a connection while nobody is there, and keep it waiting, which no network does.
    pi.make_reachable()
    count = waiting.until(lambda: stored(database), LIMIT_S, "the first reading at the sink", LOOK_EVERY_S)
    return up - switched_on, time.monotonic() - up, count


def stored(database):
    """How many readings are committed in the sink's file."""
    try:
        link = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)
        try:
            return link.execute("SELECT count(*) FROM readings").fetchone()[0]
        finally:
            link.close()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error) or "locked" in str(error) or "unable to open" in str(error):
            return 0
        raise Failed(f"the sink's file cannot be read: {error}") from error
