"""The project's tests, built for a Pi and run here under qemu-user."""

import shutil
from typing import NamedTuple

from . import foreign, machine, toolchain
from .say import Failed, run, say, shown
from .targets import OUT, ROOT


class Skip(NamedTuple):
    """Tests that are left out."""

    tests: str
    """Which, as nextest's filter language has it."""
    reason: str
    only_without_children: bool = False
    """Left out only where the tests cannot start binaries of the target themselves."""


# The one list of what is not run, and why. All else is.
SKIPS = (
    Skip(
        "test(=readings_taken_in_1970_come_out_at_their_right_times)"
        " + test(=a_clock_that_is_set_while_the_node_runs_is_believed_for_what_came_before)",
        "they have the loader put libfaketime before the C library, and that is a library for this machine's processor",
    ),
    Skip(
        "test(=a_node_under_nohup_outlives_its_terminal)",
        "pisink asks /proc whether SIGHUP is ignored; there it sees the signals of qemu-user, which has its own",
    ),
    Skip(
        # nextest refuses a name that no binary has: see .config/nextest.toml.
        "kind(test) & binary(/^process_|^pisink$/)",
        "they start `pisink` processes, which this kernel cannot do for another processor; on a machine where"
        " qemu-user is registered with it, or with Linux 6.7 and user name spaces, they run",
        only_without_children=True,
    ),
    Skip(
        "test(=what_was_acknowledged_survives_kill_9)",
        "it starts itself as a process to be killed; the same",
        only_without_children=True,
    ),
)
SETTINGS = ROOT / "cross" / "nextest.toml"


def test(target, filters):
    """Builds the tests for the target and runs them."""
    is_debian = toolchain.is_debian_for([target])
    machine.prepare([target], is_debian)
    if not shutil.which("cargo-nextest"):
        raise Failed("there is no cargo-nextest here; run: cargo install --locked cargo-nextest")
    tools = toolchain.of(target, is_debian)
    # The project's own crates a little optimised, for emulation slows down what is slow already; checks stay in.
    environment = {**tools.environment, **toolchain.zig_variables(tools, target), **foreign.environment(target)}
    environment["CARGO_PROFILE_DEV_OPT_LEVEL"] = "1"
    say(f"{target.arch}: building the tests with {tools.source} and zig")
    common = ["--workspace", "--locked", "--target", target.triple]
    # Not by nextest, which starts what it has built to ask for its tests.
    built = [tools.cargo, "test", "--no-run", *common]
    run(built, "what the compiler said is above", cwd=ROOT, env=environment)

    program = OUT / "cargo" / target.triple / "debug" / "pisink"
    way = foreign.way(target, program)
    say(f"{target.arch}: running them on an emulated {target.cpu}, {way.said}")
    if not way.can_start_children:
        environment[toolchain.variable(target, "RUNNER")] = shown(foreign.command(target, "")[:-1])
    skips = [skip for skip in SKIPS if not (skip.only_without_children and way.can_start_children)]
    for skip in skips:
        say(f"skipped: {skip.tests}: {skip.reason}")
    nextest = ["cargo-nextest", "nextest", "run", *common, "--config-file", settings(skips), *filters]
    there = {"cwd": ROOT, "env": foreign.inside(environment)}
    run([*way.before, *nextest], f"run one again: cross/test {target.arch} NAME", **there)
    if not filters:
        doctests = [tools.cargo, "test", "--doc", *common]
        run([*way.before, *doctests], "an example in a doc comment fails", **there)
    say(f"{target.arch}: all passed; what was skipped is said above, with its reasons")


def settings(skips):
    """The file of nextest's settings with these tests left out, whatever filters are given besides."""
    left_out = " + ".join(f"({skip.tests})" for skip in skips)
    section = "[profile.default]\n"
    text = SETTINGS.read_text(encoding="utf-8").replace(section, f"{section}default-filter = 'not ({left_out})'\n", 1)
    place = OUT / SETTINGS.name
    place.write_text(text, encoding="utf-8")
    return place
