"""The network is cut for a while and comes back: the Pis sample on, and then nothing is missing and nothing is twice."""

from ..errors import check
from ..pi import EXPORT, tmp105
from ..sink import wait_compared

NAME = "network-cut"
ABOUT = "the network of two Pis cut, one of them twice, and restored: nothing missing, nothing twice"
IN_GATE = False

# Readings that the Pi takes while nobody hears it.
READINGS_CUT_OFF = 40
LIMIT_S = 90


def run(bench):
    """See ABOUT."""
    pis = [bench.pi(name, [tmp105("air", 0x48)]) for name in ("pier", "buoy")]
    bench.boot(*pis)
    for pi, celsius in zip(pis, (9.5, 7.25), strict=True):
        pi.set_celsius("air", celsius)
        pi.network_up()
        pi.start_node("--bus pi:1 --chip tmp105@0x48 --interval 200ms --host=false")
    pier, buoy = pis
    sink = bench.sink(*pis, arguments=("--poll-interval", "500ms", "--host=false"))
    sink.wait(lambda rows: {pi.name for pi in pis} <= {row["node"] for row in rows}, LIMIT_S, "readings of both Pis")
    cuts = ((pier,), (pier, buoy))
    for cut in cuts:
        names = " and ".join(pi.name for pi in cut)
        with bench.verdict(f"{names} cut off: they sample on, the sink notices") as verdict:
            verdict.seen = cut_off(cut, sink)
        with bench.verdict(f"{names} back: what was taken meanwhile comes, by itself") as verdict:
            for pi in cut:
                pi.network(True)
            counts = [f"{wait_compared(sink, pi)} of {pi.name}" for pi in pis]
            verdict.seen = f"readings compared one by one: {', '.join(counts)}"


def cut_off(cut, sink):
    """Cuts these Pis off until each has taken enough readings alone."""
    for pi in cut:
        pi.network(False)
    before = {pi.name: len(sink.rows_of(pi.name)) for pi in cut}
    for pi in cut:
        goal = before[pi.name] + READINGS_CUT_OFF
        pi.sh(f"timeout {LIMIT_S} sh -c 'until [ $({COUNT}) -ge {goal} ]; do sleep 1; done'", LIMIT_S + 30)
    parts = []
    for pi in cut:
        held, own = len(sink.rows_of(pi.name)), int(pi.sh(COUNT))
        # A piece may have been on its way at the moment of the cut.
        check(
            own - held >= READINGS_CUT_OFF / 2, f"{pi.name} has {own} readings and the sink {held}: it was not cut off"
        )
        parts.append(f"{pi.name} has {own}, the sink {held}")
    return "; ".join(parts)


# How many readings the journal has; the first line is the header.
COUNT = f"{EXPORT} | tail -n +2 | wc -l"
