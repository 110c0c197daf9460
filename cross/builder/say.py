"""What is said to people, and how things fail."""

import shlex
import subprocess
import sys


class Failed(Exception):
    """Something failed; the text says what, and the next thing to do."""


class Usage(Exception):
    """What was asked for makes no sense; the text says why."""


def say(text):
    """One line about what happens now."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"{bold}== {text}{plain}", flush=True)


def shown(command):
    """A command as one would type it."""
    return shlex.join(str(word) for word in command)


def run(command, hint, **options):
    """Runs a command with its output where people see it; fails with a hint."""
    try:
        done = subprocess.run([str(word) for word in command], check=False, **options)
    except OSError as error:
        raise Failed(f"cannot run {command[0]}: {error.strerror}; {hint}") from error
    if done.returncode != 0:
        raise Failed(f"failed with exit code {done.returncode}: {shown(command)}\n   {hint}")


def output(command, hint, **options):
    """What a command prints."""
    try:
        done = subprocess.run(
            [str(word) for word in command], stdout=subprocess.PIPE, text=True, check=False, **options
        )
    except OSError as error:
        raise Failed(f"cannot run {command[0]}: {error.strerror}; {hint}") from error
    if done.returncode != 0:
        raise Failed(f"failed with exit code {done.returncode}: {shown(command)}\n   {hint}")
    return done.stdout


def main(command):
    """Runs a command line to its exit code: 0 done, 1 failed, 2 wrong usage."""
    try:
        return command()
    except Usage as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return 2
    except Failed as error:
        sys.stdout.flush()
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{sys.argv[0]}: interrupted", file=sys.stderr)
        return 1
