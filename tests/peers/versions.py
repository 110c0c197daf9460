"""Whether this Python has the packages that a file pins, and can import the peers among them.

    versions.py PINS    says `all as pinned`, or what is not; ends at the line `end`
"""

import importlib
import importlib.metadata
import pathlib
import sys

MODULES = {"jsocket": "jsocket", "zeromq-pyre": "pyre", "auto-pi-lot": "autopilot"}


def main():
    pins = [line.split("==") for line in pathlib.Path(sys.argv[1]).read_text().splitlines() if "==" in line]
    wrong = [f"{name} is {found}" for name, pin in pins if (found := importlib.metadata.version(name)) != pin]
    for name, _pin in pins:
        if name in MODULES:
            importlib.import_module(MODULES[name])
    print("; ".join(wrong) or "all as pinned", flush=True)
    sys.stdin.readline()
    print("done end", flush=True)


main()
