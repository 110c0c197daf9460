"""What there is to see when a scenario has failed: a failure may not come again, so that it is told while it is there."""

from .errors import Failed

CONSOLE_LINES = LOG_LINES = 10
# Most that is told of a Pi, in lines: threads and their stacks, the kernel's words, the node's log.
LINES_MAX = 200
# A Pi that needs longer to say how it is, is stuck: that is told then.
LIMIT_S = 20


def of_pi(pi):
    """Lines about a Pi: the end of its console and, when its shell still answers, what `scene` in guest-init shows."""
    if pi.console is None:
        return ["was never switched on"]
    lines = [f"console: {line}" for _, line in pi.console.lines[-CONSOLE_LINES:]]
    if pi.qemu is None:
        return [*lines, "is switched off"]
    begin, silent = len(pi.console.lines), []
    try:
        pi.console.run("scene", LIMIT_S)
    except Failed as failure:
        silent = [f"its shell does not answer: {failure}"]
    answer = [line for _, line in pi.console.lines[begin:] if not line.startswith("@")]
    return lines + answer[:LINES_MAX] + silent
