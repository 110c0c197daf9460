"""Three Pis, polled by a primary on this machine: every reading once, and plots of what the buses gave."""

from ..pi import tmp105
from ..sink import check_plots, wait_compared

NAME = "three-pis"
ABOUT = "three Pis and a primary on this machine: every reading in the sink once; plots drawn from real I2C"
IN_GATE = False

START_CELSIUS = {"cellar": 11.0, "garden": -4.5, "roof": 23.25}
STEPS = 6
# Readings of each Pi between two changes of the temperature.
READINGS_EACH_STEP = 8
LIMIT_S = 90


def run(bench):
    """See ABOUT."""
    pis = [bench.pi(name, [tmp105("air", 0x48)]) for name in START_CELSIUS]
    bench.boot(*pis)
    for pi in pis:
        pi.set_celsius("air", START_CELSIUS[pi.name])
        pi.set_clock()
        pi.network_up()
        pi.start_node("--bus pi:1 --chip tmp105@0x48 --interval 250ms --host=false")
    sink = bench.sink(*pis, arguments=("--poll-interval", "1s", "--deadline", "900ms", "--host=false"))
    with bench.verdict("each Pi's temperature, as it is changed, in its own readings") as verdict:
        verdict.seen = follow(pis, sink)
    for pi in pis:
        with bench.verdict(f"every reading of {pi.name} is in the sink, once, unchanged") as verdict:
            verdict.seen = f"{wait_compared(sink, pi)} readings compared one by one"
    with bench.verdict("plots are drawn") as verdict:
        verdict.seen = check_plots(sink, START_CELSIUS)


def follow(pis, sink):
    """Changes the temperatures step by step; each step has to be seen in the sink before the next."""
    for step in range(STEPS):
        wanted = {}
        for at, pi in enumerate(pis):
            wanted[pi.name] = START_CELSIUS[pi.name] + step * (at + 1) / 2
            pi.set_celsius("air", wanted[pi.name])
        sink.wait(
            lambda rows, wanted=wanted: shown(rows, wanted), LIMIT_S, f"{READINGS_EACH_STEP} readings of {wanted}"
        )
    return "; ".join(f"{name} up to {celsius:g} Cel" for name, celsius in wanted.items())


def shown(rows, wanted):
    """Whether each node's newest readings are the wanted ones, all of the same step."""
    newest = {name: [row["value"] for row in rows if row["node"] == name][-READINGS_EACH_STEP:] for name in wanted}
    return all(
        len(values) == READINGS_EACH_STEP and all(value and float(value) == wanted[name] for value in values)
        for name, values in newest.items()
    )
