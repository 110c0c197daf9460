"""What people and programs see: lines while it works, and a table at the end."""

import json
import os
import sys
import threading

HEADS = ("host", "arch", "from", "to", "result", "seconds")


class Progress:
    """Lines on stderr, each with its Pi's name in front."""

    def __init__(self, hosts):
        self.width = max(map(len, hosts))
        self.lock = threading.Lock()

    def say(self, host, text):
        with self.lock:
            print(f"{host.ljust(self.width)}  {text}", file=sys.stderr, flush=True)


def colours():
    """Whether stdout is for eyes."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def table(results):
    """The results in columns, and under them the reason and the next step of each that needs one."""
    rows = [
        (r.host, r.arch or "-", r.from_version or "-", r.to_version or "-", r.result, f"{r.seconds:.1f}")
        for r in results
    ]
    widths = [max(len(row[column]) for row in [HEADS, *rows]) for column in range(len(HEADS))]
    lines = [columns(HEADS, widths), columns(["-" * width for width in widths], widths)]
    for row, result in zip(rows, results):
        line = columns(row, widths)
        if colours():
            line = f"\033[{32 if result.good else 31}m{line}\033[0m"
        lines.append(line)
    for result in results:
        if result.why or result.next_step:
            lines += ["", f"{result.host}: {result.why or result.result}"]
            if result.next_step:
                lines.append(f"  next: {result.next_step}")
    return "\n".join(lines)


def columns(cells, widths):
    """Cells under each other; the last column is a number and stands to the right."""
    *left, last = (cell.ljust(width) for cell, width in zip(cells, widths))
    return "  ".join([*left, last.strip().rjust(widths[-1])])


def as_json(results):
    """The results as a JSON array."""
    return json.dumps([result.as_json() for result in results], indent=1)
