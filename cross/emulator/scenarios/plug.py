"""Chips and buses that go and come: the right reason each time, and recovery by itself.

The chip sits behind a multiplexer, which cuts its wires and joins them; the controller is taken from its driver and
given back, as when a device tree overlay is removed.
"""

import json
import subprocess

from .. import waiting
from ..errors import check
from ..pi import MUX, NODE_PORT, tmp105

NAME = "plug"
ABOUT = "a chip missing at the start, unplugged, plugged; the controller unbound and bound: reasons, and recovery"
# Now and then the unbound controller is not seen as gone within 40 s: until that is understood, the gate does without.
IN_GATE = False

CELSIUS = 18.25
DRIVER = "/sys/bus/platform/drivers/i2c-bcm2835"
CONTROLLER = "3f804000.i2c"
# From an event to the next readings that show it, beside the sampling interval; TCG is slow and the bus has time-outs.
LIMIT_S = 40
ON_MAIN, BEHIND_MUX = "tmp105-48", "tmp105-49"


def run(bench):
    """See ABOUT."""
    pi = bench.pi("shed", [tmp105("main", 0x48), MUX, tmp105("far", 0x49, "i2c.0")])
    bench.boot(pi)
    pi.set_celsius("main", CELSIUS + 1)
    pi.set_celsius("far", CELSIUS)
    pi.network_up()
    pi.start_node(
        "--bus pi:1 --chip tmp105@0x48 --chip tmp105@0x49 --interval 250ms --flush-interval 100ms --host=false"
    )
    sink = bench.sink(pi, arguments=("--poll-interval", "250ms", "--deadline", "240ms", "--host=false"))
    watch = Watch(sink, pi)

    with bench.verdict("missing at the start: ERR nack, the other chip is read") as verdict:
        verdict.seen = watch.next_are({BEHIND_MUX: "nack", ON_MAIN: CELSIUS + 1})
    for turn in ("plugged in: its value", "unplugged: ERR nack", "plugged in again: its value"):
        is_in = "unplugged" not in turn
        with bench.verdict(turn) as verdict:
            pi.plug(is_in)
            verdict.seen = watch.next_are({BEHIND_MUX: CELSIUS if is_in else "nack", ON_MAIN: CELSIUS + 1})
    with bench.verdict("controller unbound: ERR timeout or absent, then absent on both chips") as verdict:
        # The kernel lets go of the controller when the node has closed the bus: it must, or this never ends.
        pi.sh(f"(echo {CONTROLLER} >{DRIVER}/unbind; echo done >/run/unbound) &")
        verdict.seen = watch.next_are({BEHIND_MUX: "absent", ON_MAIN: "absent"})
        pi.sh("timeout 30 sh -c 'until [ -e /run/unbound ]; do sleep 0.1; done'")
        pi.sh("[ ! -e /dev/i2c-1 ]")
    with bench.verdict("controller bound again: values again") as verdict:
        pi.sh(f"echo {CONTROLLER} >{DRIVER}/bind")
        verdict.seen = watch.next_are({BEHIND_MUX: CELSIUS, ON_MAIN: CELSIUS + 1})
    with bench.verdict("no other reason anywhere, and no zero for an ERR") as verdict:
        verdict.seen = watch.whole()
    with bench.verdict("the node still answers STATUS") as verdict:
        answer = status(bench, pi)
        check(answer["node"] == pi.name, f"somebody else answers: {answer}")
        verdict.seen = f"node {answer['node']}"


class Watch:
    """What the sink holds of one Pi, looked at from event to event."""

    def __init__(self, sink, pi):
        self.sink, self.pi = sink, pi

    def next_are(self, wanted):
        """Waits until the newest two readings of each chip, taken from now on, are the wanted value or reason."""
        past = max((int(row["seq"]) for row in self.sink.rows_of(self.pi.name)), default=0)

        def look():
            rows = [row for row in self.sink.rows_of(self.pi.name) if int(row["seq"]) > past]
            return self.says(rows, wanted)

        text = f"two readings in a row of {wanted}; the sink's log: {self.sink.tail()}"
        taken = waiting.until(look, LIMIT_S, text, every_s=0.25)
        return taken

    @staticmethod
    def says(rows, wanted):
        """What the rows show, if the newest two of each chip are as wanted; else nothing."""
        seen = []
        for chip, want in wanted.items():
            values = [said(row) for row in rows if row["chip"] == chip]
            if len(values) < 2 or values[-2:] != [want, want]:
                return None
            before = (
                " after " + ", ".join(dict.fromkeys(str(v) for v in values if v != want))
                if set(values) != {want}
                else ""
            )
            seen.append(f"{chip} {want}{before}")
        return "; ".join(seen)

    def whole(self):
        """Every reading is one of the values that were set or an expected reason."""
        allowed = {CELSIUS, CELSIUS + 1, "nack", "timeout", "absent"}
        rows = self.sink.rows_of(self.pi.name)
        others = [row for row in rows if said(row) not in allowed]
        check(not others, f"{len(others)} readings are none of {allowed}, the first is {others[:1]}")
        counts = {}
        for row in rows:
            counts[said(row)] = counts.get(said(row), 0) + 1
        return ", ".join(f"{count} x {what}" for what, count in sorted(counts.items(), key=str))


def said(row):
    """A reading's value, or its reason."""
    return row["err"] or float(row["value"])


def status(bench, pi):
    """What the node answers to STATUS."""
    done = subprocess.run(
        [bench.host_binary, "status", f"127.0.0.1:{pi.port}", "--json"], capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    check(done.returncode == 0, f"`pisink status` of {pi.name} (port {NODE_PORT}) failed: {done.stderr.strip()}")
    return json.loads(done.stdout)
