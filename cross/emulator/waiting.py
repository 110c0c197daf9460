"""Waiting for events, always with a bound. Nothing here sleeps for a guess: a condition is looked at until it holds."""

import time

from .errors import Failed

# From one look to the next, in seconds: short beside everything that is waited for, long beside the cost of a look.
LOOK_EVERY_S = 0.1


def until(look, limit_s, what, every_s=LOOK_EVERY_S):
    """Calls `look` until it returns something true, and returns that; fails after `limit_s` seconds.

    `what` completes "waited N s for ...". The last thing seen is in the failure, when `look` returned one.
    """
    ends_at = time.monotonic() + limit_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() >= ends_at:
            last = "" if seen is None else f"; the last look gave {seen!r}"
            raise Failed(f"waited {limit_s:g} s for {what}{last}")
        time.sleep(every_s)
