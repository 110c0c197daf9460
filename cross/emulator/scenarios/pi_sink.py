"""The primary on a Pi: three Pis on one Ethernet, one of them the sink, with a chip of its own."""

from .. import waiting
from ..errors import check
from ..pi import NODE_PORT, tmp105
from ..sink import wait_compared

NAME = "pi-sink"
ABOUT = (
    "three Pis on one Ethernet, the primary one of them, with a chip of its own: every reading once, plots on the Pi"
)
IN_GATE = False

CELSIUS = {"attic": 26.5, "bath": 21.125, "coop": -8.0}
ADDRESSES = {"attic": "192.168.7.1", "bath": "192.168.7.2", "coop": "192.168.7.3"}
READINGS_EACH = 20
LIMIT_S = 120
CHIP = "--bus pi:1 --chip tmp105@0x48 --interval 250ms --host=false"


def run(bench):
    """See ABOUT."""
    primary, *others = network(bench)
    primary.switch_on()
    # The others plug themselves into the first one's hub, which is there as soon as it runs.
    waiting.until(lambda: all((bench.run_folder / f"{pi.name}.net").exists() for pi in others), 30, "the Ethernet hub")
    bench.boot(*others)
    primary.await_boot()
    for pi in (primary, *others):
        pi.set_celsius("air", CELSIUS[pi.name])
        pi.set_clock()
        pi.network_up()
    for pi in others:
        pi.start_node(CHIP)
    peers = " ".join(f"--peer {ADDRESSES[pi.name]}:{NODE_PORT}" for pi in others)
    primary.start_node(f"{CHIP} --poll-interval 1s --deadline 900ms --plots /data/plots {peers}", role="primary")
    sink = SinkOnPi(primary)
    with bench.verdict("the sink has readings of all three, its own too") as verdict:
        rows = sink.wait(enough, LIMIT_S, f"{READINGS_EACH} readings of each Pi")
        verdict.seen = ", ".join(f"{name} {sum(row['node'] == name for row in rows)}" for name in CELSIUS)
    for pi in others:
        with bench.verdict(f"every reading of {pi.name} is in the sink, once, unchanged") as verdict:
            verdict.seen = f"{wait_compared(sink, pi)} readings compared one by one"
    with bench.verdict("a plot is drawn on the Pi") as verdict:
        primary.sh("pisink plot --data /data/pisink --out /data/plots", 120)
        picture = primary.fetch("cat /data/plots/time-series.png")
        check(picture.startswith(b"\x89PNG\r\n"), "the plot is no PNG")
        (bench.log_folder / "time-series.png").write_bytes(picture)
        primary.sh("pisink plot --data /data/pisink --out /data/plots --svg", 120)
        text = primary.fetch("cat /data/plots/time-series.svg").decode()
        check("no readings in this" not in text, "the plot has no readings")
        check(all(name in text for name in CELSIUS), "a Pi's name is not in the plot")
        verdict.seen = f"{len(picture) // 1024} KiB"


def network(bench):
    """Three Pis whose second interfaces meet in a hub in the first one's QEMU."""
    first, *others = CELSIUS
    cables = {name: f"addr.type=unix,addr.path={bench.run_folder / name}.net" for name in others}
    hub = ["-netdev", "hubport,id=lan,hubid=0"]
    for name, cable in cables.items():
        hub += ["-netdev", f"stream,id=to-{name},server=on,{cable}"]
        hub += ["-netdev", f"hubport,id=port-{name},hubid=0,netdev=to-{name}"]
    words = {first: hub} | {name: ["-netdev", f"stream,id=lan,server=off,{cable}"] for name, cable in cables.items()}
    bench.say(f"one Ethernet: {', '.join(f'{name} {address}' for name, address in ADDRESSES.items())}")
    return [bench.pi(name, [tmp105("air", 0x48)], lan=(ADDRESSES[name], words[name])) for name in CELSIUS]


def enough(rows):
    """The rows, once each Pi has enough in the sink, all of its own temperature."""
    for name, celsius in CELSIUS.items():
        values = [row["value"] for row in rows if row["node"] == name]
        if len(values) < READINGS_EACH or any(value and float(value) != celsius for value in values):
            return None
    return rows


class SinkOnPi:
    """What a scenario asks of a sink, answered by a Pi."""

    def __init__(self, pi):
        self.pi = pi

    def rows(self):
        """Everything in its store."""
        return self.pi.journal()

    def wait(self, look, limit_s, what):
        """Waits until `look`, given the sink's rows, returns something true; returns that."""
        return waiting.until(lambda: look(self.rows()), limit_s, what, every_s=1.0)
