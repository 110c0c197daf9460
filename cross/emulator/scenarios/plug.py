"""Chips and buses that go and come: the right reason each time, and recovery by itself.

The chip sits behind a multiplexer, which cuts its wires and joins them; the controller is taken from its driver and
given back, as when a device tree overlay is removed.
"""

import json
import subprocess

from ..errors import Failed, check
from ..pi import MUX, NODE_PORT, tmp105

NAME = "plug"
ABOUT = "a chip missing at the start, unplugged, plugged; the controller unbound and bound: reasons, and recovery"
IN_GATE = True

CELSIUS = 18.25
DRIVER = "/sys/bus/platform/drivers/i2c-bcm2835"
# All of the Pi's controllers, in the order of their numbers: the kernel gives the lowest that is free to who comes.
CONTROLLERS = ("3f205000.i2c", "3f804000.i2c", "3f805000.i2c")
CONTROLLER = CONTROLLERS[1]
# Taken before the one under test, with which they share an interrupt: else a transfer at the wrong moment holds the Pi
# up, for ever where this machine is busy. See "When the controller is taken from its driver" in docs/emulated-pi.md.
OTHERS = tuple(controller for controller in CONTROLLERS if controller != CONTROLLER)
TURNS = 3
INTERVAL_S = 0.25
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
        f"--bus pi:1 --chip tmp105@0x48 --chip tmp105@0x49 --interval {INTERVAL_S * 1000:.0f}ms --flush-interval 100ms --host=false"
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
    for turn in range(1, TURNS + 1):
        with bench.verdict(
            f"controller unbound, {turn} of {TURNS}: ERR timeout or absent, then absent on both chips"
        ) as verdict:
            unbind(pi, bench.random.uniform(0, INTERVAL_S))
            verdict.seen = watch.next_are({BEHIND_MUX: "absent", ON_MAIN: "absent"})
            pi.sh("timeout 30 sh -c 'until [ -e /run/unbound ]; do sleep 0.1; done'")
            pi.sh("[ ! -e /dev/i2c-1 ]")
        with bench.verdict("controller bound again: values again") as verdict:
            pi.sh(" && ".join(f"echo {controller} >{DRIVER}/bind" for controller in CONTROLLERS))
            verdict.seen = watch.next_are({BEHIND_MUX: CELSIUS, ON_MAIN: CELSIUS + 1})
    with bench.verdict("no other reason anywhere, and no zero for an ERR") as verdict:
        verdict.seen = watch.whole()
    with bench.verdict("the node still answers STATUS") as verdict:
        answer = status(bench, pi)
        check(answer["node"] == pi.name, f"somebody else answers: {answer}")
        verdict.seen = f"node {answer['node']}"


def unbind(pi, pause_s):
    """Takes the controllers from their driver, the one under test after a pause; `/run/unbound` tells when that is done."""
    for controller in OTHERS:
        pi.sh(f"echo {controller} >{DRIVER}/unbind")
    pi.sh("rm -f /run/unbound")
    # The kernel lets go of the controller when the node has closed the bus: it must, or this never ends.
    pi.sh(f"(sleep {pause_s:.3f}; echo {CONTROLLER} >{DRIVER}/unbind; echo done >/run/unbound) &")


class Watch:
    """What the sink holds of one Pi, looked at from event to event."""

    def __init__(self, sink, pi):
        self.sink, self.pi = sink, pi

    def next_are(self, wanted):
        """Waits until the newest two readings of each chip, taken from now on, are the wanted value or reason."""
        past = max((int(row["seq"]) for row in self.sink.rows_of(self.pi.name)), default=0)

        rows = []

        def look(held):
            rows[:] = [row for row in held if row["node"] == self.pi.name and int(row["seq"]) > past]
            return self.says(rows, wanted)

        try:
            return self.sink.wait(look, LIMIT_S, f"two readings in a row of {wanted}")
        except Failed as failure:
            raise Failed(f"{failure}; the newest readings since then: {newest(rows, wanted)}") from failure

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


def newest(rows, chips, count=4):
    """The last readings of each chip, for a message."""
    values = {chip: [str(said(row)) for row in rows if row["chip"] == chip][-count:] for chip in chips}
    return "; ".join(f"{chip} {' '.join(of_chip) or 'none'}" for chip, of_chip in values.items())


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
