"""The scenarios, each a module with NAME, ABOUT, IN_GATE and `run(bench)`."""

from . import bus, in_1970, network_cut, pi_sink, plug, power_cut, three_pis

ALL = (bus, plug, three_pis, pi_sink, network_cut, power_cut, in_1970)


def by_name(name):
    """The scenario of this name or number (from 1), or None."""
    for number, scenario in enumerate(ALL, start=1):
        if name in (scenario.NAME, str(number)):
            return scenario
    return None
