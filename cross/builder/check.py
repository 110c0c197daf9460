"""All that is looked at in a binary, as a table of lines."""

import pathlib
import sys

from . import elf, trial
from .say import Failed


def check(path, target, with_start=True):
    """Prints what was found; fails when one thing is wrong."""
    checks = elf.judge(elf.read(pathlib.Path(path)), target)
    failed = show(checks)
    # A binary of another machine cannot be started; what is wrong with it is said already.
    if with_start and not any(check.what in ("machine", "loader") for check in failed):
        failed += show(trial.judge(path, target))
    if failed:
        wrong = ", ".join(check.what for check in failed)
        raise Failed(f"{path} is not fit for {target.arch} ({target.pis}): {wrong}")


def show(checks):
    """Prints the checks; returns those that failed."""
    on_terminal = sys.stdout.isatty()
    for check in checks:
        word = "ok" if check.is_good else "WRONG"
        colour = ("\033[32m" if check.is_good else "\033[31m") if on_terminal else ""
        print(f"   {colour}{word:<5}{colour and chr(27) + '[0m'} {check.what:<18} {check.found}", flush=True)
        if not check.is_good:
            print(f"         {check.why}", flush=True)
    return [check for check in checks if not check.is_good]
