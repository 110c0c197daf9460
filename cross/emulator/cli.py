"""The command: `cross/emulate`. See its --help."""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import unittest

from . import figure, play, scenarios
from . import parts as parts_module
from .bench import FAILURES, Bench, Printer, words
from .errors import SetupError

ROOT = pathlib.Path(__file__).resolve().parents[2]
HELP = """\
examples:
  cross/emulate --list              what there is
  cross/emulate bus plug            these two scenarios
  cross/emulate --gate              the most telling, as scripts/test runs them
  cross/emulate --all --keep out    all, with consoles, logs and plots kept in out/
  cross/emulate --boot 2            two Pis to play with, until Ctrl-C
  cross/emulate --figure            from "network up" to the first reading stored at the sink, five times

Needs Debian and no root: QEMU, a kernel and the rest are fetched by apt into target/cross/emulator, once. The binary
under test is the release binary for 64-bit Pis, made by `cross/build aarch64` when it is missing. No Pi is needed;
what emulation cannot show stands in docs/emulated-pi.md.

exit codes: 0 all verdicts are good, 1 one is not, 2 wrong usage.
"""


def arguments(words):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="cross/emulate", epilog=HELP, formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Boots emulated Raspberry Pis with a real /dev/i2c-1 and shows, verdict by verdict, what pisink does on them.",
    )  # fmt: skip
    parser.add_argument("scenario", nargs="*", help="names or numbers out of --list")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--all", action="store_true", help="every scenario")
    what.add_argument("--gate", action="store_true", help="the scenarios of the gate")
    what.add_argument("--list", action="store_true", help="name the scenarios and what they show")
    what.add_argument("--figure", action="store_true", help="measure from network up to the first reading at the sink")
    what.add_argument("--boot", type=int, metavar="N", help="boot N Pis to play with, until Ctrl-C")
    what.add_argument("--shell", action="store_true", help="boot one Pi and give its shell")
    what.add_argument("--fetch", action="store_true", help="fetch what is needed, newest versions, and run nothing")
    what.add_argument("--self-test", action="store_true", help="test the emulator's own pure parts")
    parser.add_argument(
        "--binary", type=pathlib.Path, help="pisink for the Pi (default: target/cross/bin/pisink-aarch64)"
    )
    parser.add_argument("--host-binary", type=pathlib.Path, help="pisink for this machine (default: built by cargo)")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="keep consoles, logs and plots here")
    parser.add_argument("--seed", type=int, help="for what is left to chance (default: another each time, printed)")
    parser.add_argument("--json", action="store_true", help="verdicts as JSON lines")
    options = parser.parse_args(words)
    if options.boot is not None and not 1 <= options.boot <= play.PIS_MAX:
        parser.error(f"--boot takes 1 to {play.PIS_MAX} Pis")
    options.chosen = choose(parser, options)
    return options


def choose(parser, options):
    """The scenarios to run."""
    if options.all:
        return list(scenarios.ALL)
    if options.gate:
        return [scenario for scenario in scenarios.ALL if scenario.IN_GATE]
    chosen = [scenarios.by_name(name) for name in options.scenario]
    for name, scenario in zip(options.scenario, chosen, strict=True):
        if scenario is None:
            parser.error(f"there is no scenario {name!r}; see cross/emulate --list")
    other = options.list or options.figure or options.boot or options.shell or options.fetch or options.self_test
    if not chosen and not other:
        parser.error("which scenario? --list names them, --all runs all")
    return chosen


def main(words):
    """Runs the command; returns its exit code."""
    options = arguments(words)
    if options.list:
        for number, scenario in enumerate(scenarios.ALL, start=1):
            mark = "gate" if scenario.IN_GATE else "    "
            print(f"{number}  {scenario.NAME:<12} {mark}  {scenario.ABOUT}")
        return 0
    if options.self_test:
        return self_test()
    # Both end everything that was started; Ctrl-C also where a shell has it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    printer = Printer(options.json)
    try:
        return run(options, printer)
    except SetupError as error:
        print(f"cross/emulate: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cross/emulate: interrupted; the Pis are switched off", file=sys.stderr)
        return 1


def run(options, printer):
    """Gets everything ready and does what was asked."""
    cache = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "cross" / "emulator"
    parts = parts_module.get(cache, printer.say, update=options.fetch)
    if options.fetch:
        for name, version in parts.versions.items():
            print(f"{name} {version}")
        return 0
    binary = (options.binary or pi_binary()).resolve()
    host_binary = (options.host_binary or build_host_binary(printer)).resolve()
    for path in (binary, host_binary):
        if not path.is_file():
            raise SetupError(f"there is no {path}")
    keep = options.keep.resolve() if options.keep else None
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)

    def bench(name):
        return Bench(name, parts, binary, host_binary, printer, keep, seed)

    if options.boot or options.shell:
        return play.play(bench, options.boot or 1, options.shell)
    if options.figure:
        return figure.run(bench, printer)
    return run_scenarios(options.chosen, bench, printer)


def run_scenarios(chosen, bench, printer):
    """Runs scenarios one after the other; returns the exit code."""
    begun, failed = time.monotonic(), []
    for scenario in chosen:
        printer.say(f"{scenario.NAME}: {scenario.ABOUT}")
        means = bench(scenario.NAME)
        try:
            with means:
                scenario.run(means)
        except FAILURES as failure:
            failed.append(scenario.NAME)
            if not means.failures:
                printer.verdict(scenario.NAME, "prepared", False, words(failure), time.monotonic() - begun)
            printer.say(f"again: cross/emulate {scenario.NAME} --seed {means.seed} --keep DIR")
    good = len(chosen) - len(failed)
    printer.say(f"{good} of {len(chosen)} scenarios are good, in {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def self_test():
    """Runs the tests in cross/emulator/tests; returns the exit code."""
    folder = pathlib.Path(__file__).with_name("tests")
    tests = unittest.defaultTestLoader.discover(str(folder), top_level_dir=str(folder.parents[1]))
    return 0 if unittest.TextTestRunner(warnings="ignore").run(tests).wasSuccessful() else 1


def pi_binary():
    """The release binary for 64-bit Pis, built when it is missing."""
    path = ROOT / "target/cross/bin/pisink-aarch64"
    if not path.exists():
        build = ROOT / "cross/build"
        if not build.exists():
            raise SetupError("there is no binary for the Pi; give one by --binary")
        subprocess.run([build, "aarch64"], check=False)
    return path


def build_host_binary(printer):
    """This machine's pisink, up to date."""
    printer.say("cargo build (this machine's pisink)")
    done = subprocess.run(["cargo", "build", "--locked", "--quiet"], cwd=ROOT, check=False)
    if done.returncode != 0:
        raise SetupError("cargo build failed; or give --host-binary")
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "pisink"
