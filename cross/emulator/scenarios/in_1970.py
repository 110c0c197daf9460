"""Every Pi boots in 1970, as one does without a clock chip and a network; this machine, the sink, has the right time.

One Pi is polled from the start, and later its clock is set wrong by decades. One is met only after minutes. One loses its
power before it is met, and boots again: when its first boot was, nobody can know, but the order.

The truth is the temperature: it is set from outside to a value that it had never before, and this machine's clock is
noted before, and after readings of it are in the journal. So each reading of that value lies between two known moments.
"""

import datetime
import time
import typing

from ..errors import check
from ..pi import EXPORT, tmp105
from ..sink import check_plots, wait_compared

NAME = "1970"
ABOUT = "all Pis boot in 1970: right times at the sink, also met minutes later, over a reboot, with a clock set wrong"
IN_GATE = True

READINGS_EACH_STEP = 5
# How long a Pi samples before the sink meets it, in seconds since its boot.
ALONE_S = 120
LIMIT_S = 180
# What the sink may be off by at most on QEMU's network, where an answer can take long; a real one is quicker.
ERROR_MAX_S = 0.5
NODE = "--bus pi:1 --chip tmp105@0x48 --interval 200ms --host=false"
SINK = ("--poll-interval", "500ms", "--deadline", "450ms", "--host=false")
WRONG_YEARS = (2046, 2006)


class Step(typing.NamedTuple):
    """A temperature that a Pi had between two moments, in seconds since 1970 by this machine's clock, and at no other."""

    celsius: float
    from_s: float
    to_s: float


def run(bench):
    """See ABOUT."""
    harbour, hut, ridge = (bench.pi(name, [tmp105("air", 0x48)], sd=True) for name in ("harbour", "hut", "ridge"))
    with bench.verdict("all three believe that it is 1970") as verdict:
        bench.boot(harbour, hut, ridge)
        years = {pi.name: pi.sh("date -u +%Y").strip() for pi in (harbour, hut, ridge)}
        check(set(years.values()) == {"1970"}, f"the clocks show {years}")
        verdict.seen = f"{', '.join(years)} do"
    for pi in (hut, ridge):
        pi.network(False)
    start(harbour, hut, ridge)
    sink = bench.sink(harbour, hut, ridge, arguments=SINK)
    steps = {harbour.name: [], hut.name: []}
    for celsius in (10.5, 11.5):
        steps[harbour.name].append(step(harbour, celsius))
        steps[hut.name].append(step(hut, -celsius))
    unmet = step(ridge, 30.5)
    ridge.cut_power()
    bench.boot(ridge)
    start(ridge)
    met = step(ridge, 31.5)
    with bench.verdict("a Pi that is met at once: its readings come out at their right times") as verdict:
        wait_compared(sink, harbour, LIMIT_S)
        verdict.seen = right_times(sink, harbour, steps[harbour.name])
    with bench.verdict(f"a Pi that is met {ALONE_S} s after its boot: so do those from before") as verdict:
        until = f"until [ $(cut -d. -f1 /proc/uptime) -ge {ALONE_S} ]; do sleep 1; done"
        hut.sh(f"timeout {LIMIT_S} sh -c '{until}'", LIMIT_S + 30)
        check(not sink.rows_of(hut.name), "the sink has met it already")
        hut.network(True)
        count = wait_compared(sink, hut, LIMIT_S)
        verdict.seen = f"{right_times(sink, hut, steps[hut.name])}; {count} readings compared one by one"
    with bench.verdict(
        "a Pi that reboots before it is met: that boot is `unknown` and in order, the next is right"
    ) as v:
        wait_compared(sink, ridge, LIMIT_S)
        v.seen = reboot_between(sink, ridge, unmet, met)
    for at, year in enumerate(WRONG_YEARS):
        with bench.verdict(f"the clock of a running Pi is set to {year}: nothing moves") as verdict:
            harbour.sh(f"date -u -s '{year}-06-01 00:00:00'")
            steps[harbour.name].append(step(harbour, 12.5 + at))
            wait_compared(sink, harbour, LIMIT_S)
            verdict.seen = right_times(sink, harbour, steps[harbour.name])
    with bench.verdict("plots have them at their right times") as verdict:
        verdict.seen = check_plots(sink, [harbour.name, hut.name])


def start(*pis):
    """Starts nodes at a temperature that no step has."""
    for pi in pis:
        pi.set_celsius("air", 0.5)
        pi.network_up()
        pi.start_node(NODE)


def step(pi, celsius):
    """Sets a temperature, and waits until some readings of it are in the Pi's own journal."""
    from_s = time.time()
    pi.set_celsius("air", celsius)
    count = f"$({EXPORT} | grep -c ,{celsius},,)"
    pi.sh(f"n={READINGS_EACH_STEP}; until [ {count} -ge $n ]; do sleep 0.5; done", LIMIT_S)
    # The next temperature comes after this moment.
    return Step(celsius, from_s, time.time())


def right_times(sink, pi, steps):
    """All readings of these steps are dated by the sink, within what it says it may be off by; returns how well."""
    rows = sink.rows_of(pi.name)
    in_order(rows)
    dated, worst_s = 0, 0.0
    for at, one in enumerate(steps):
        # A temperature is kept until the next one is set, which was before that one's readings were there.
        until_s = steps[at + 1].to_s if at + 1 < len(steps) else time.time()
        mine = of_step(rows, one)
        for row in mine:
            check(row["time_source"] == "sink" and row["time_error_s"], f"not dated by the sink: {row}")
            error_s, at_s = float(row["time_error_s"]), unix_s(row["time"])
            is_right = one.from_s - error_s <= at_s <= until_s + error_s
            check(is_right, f"taken between {utc(one.from_s)} and {utc(until_s)}, but {row}")
            worst_s = max(worst_s, error_s)
        dated += len(mine)
    check(worst_s <= ERROR_MAX_S, f"the sink may be off by {worst_s} s")
    return f"{dated} readings right, within {worst_s * 1000:.1f} ms"


def reboot_between(sink, pi, unmet, met):
    """The readings of the boot that nobody met are marked and in order; those of the next one are right."""
    rows = sink.rows_of(pi.name)
    boots = {row["boot"] for row in rows}
    check(len(boots) == 2, f"there are {len(boots)} boots, not two")
    first = of_step(rows, unmet)
    sources = {row["time_source"] for row in first}
    check(sources == {"unknown"}, f"readings of a boot that nobody met are dated by {sources}")
    check(not any(row["time_error_s"] for row in first), "an unknown time is given an error")
    return f"{len(first)} readings of the first boot unknown, in order; of the second {right_times(sink, pi, [met])}"


def of_step(rows, one):
    """The readings of a step's temperature."""
    check(rows and "time_source" in rows[0], f"this export does not say whose time it is: {rows[:1]}")
    mine = [row for row in rows if row["value"] and float(row["value"]) == one.celsius]
    check(len(mine) >= READINGS_EACH_STEP, f"only {len(mine)} readings of {one.celsius} Cel")
    return mine


def in_order(rows):
    """Within each boot, times and monotonic stamps never go back where the journal goes on."""
    last = {}
    for row in sorted(rows, key=lambda row: int(row["seq"])):
        stamp = (unix_s(row["time"]), int(row["mono_us"]))
        before = last.get(row["boot"])
        check(before is None or (before[0] <= stamp[0] and before[1] <= stamp[1]), f"out of order: {row}")
        last[row["boot"]] = stamp


def unix_s(text):
    """RFC 3339 to seconds since 1970."""
    return datetime.datetime.fromisoformat(text).timestamp()


def utc(seconds):
    """For a message."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()
