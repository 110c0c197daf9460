"""A Pi's serial console: what it printed, line by line with the time of arrival, and commands to the shell behind it."""

import re
import threading
import time

from .errors import Failed

# Most that is kept of a console, in lines; a guest in a loop must not fill this machine's memory.
LINES_MAX = 200_000


class Console:
    """Reads `output` in a thread of its own until it ends; writes to `input`."""

    def __init__(self, name, output, input_, log):
        self.name = name
        self.lines = []
        self._input = input_
        self._output = output
        self._log = log
        self._news = threading.Condition()
        self._ended = False
        self._number = 0
        self._thread = threading.Thread(target=self._read, name=f"console of {name}", daemon=True)
        self._thread.start()

    def _read(self):
        for raw in self._output:
            line = raw.decode(errors="replace").rstrip("\r\n")
            self._log.write(f"{time.strftime('%H:%M:%S')} {line}\n")
            self._log.flush()
            with self._news:
                if len(self.lines) < LINES_MAX:
                    self.lines.append((time.monotonic(), line))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()
        self._log.close()

    def wait(self, pattern, limit_s, begin=0):
        """The first line from number `begin` on that the pattern matches: (its number, its time, the match)."""
        wanted = re.compile(pattern)
        ends_at, at = time.monotonic() + limit_s, begin
        with self._news:
            while True:
                while at < len(self.lines):
                    when, line = self.lines[at]
                    if found := wanted.search(line):
                        return at, when, found
                    at += 1
                if self._ended:
                    raise Failed(f"{self.name} ended before its console said {pattern!r}; last: {self.tail()}")
                left_s = ends_at - time.monotonic()
                if left_s <= 0:
                    raise Failed(f"{self.name}: {limit_s:g} s without {pattern!r} on its console; last: {self.tail()}")
                self._news.wait(left_s)

    def send(self, command):
        """Sends a command without waiting for it; returns its number and where its output begins."""
        self._number += 1
        begin = len(self.lines)
        try:
            self._input.write(f"{self._number} {command}\n".encode())
            self._input.flush()
        except OSError as error:
            raise Failed(f"{self.name} is gone: {error}; last: {self.tail()}") from error
        return self._number, begin

    def run(self, command, limit_s=60):
        """Runs a command to its end; returns its status and its output, without lines that are marks."""
        number, begin = self.send(command)
        at, _, found = self.wait(rf"@end {number} (\d+)$", limit_s, begin)
        output, rest = gathered([line for _, line in self.lines[begin:at]]), self.lines[at][1]
        # Output without a newline at its end stands before the mark.
        return int(found[1]), output + rest[: found.start()]

    def tail(self, count=3):
        """The last lines, for a message."""
        return " | ".join(line for _, line in self.lines[-count:]) or "nothing"


def gathered(lines):
    """A command's output: the lines that are no marks."""
    return "".join(f"{line}\n" for line in lines if not line.startswith("@"))
