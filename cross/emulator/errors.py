"""The two ways in which a run ends badly: the world is not as it has to be, or pisink is not."""


class SetupError(Exception):
    """Something that the emulator needs is missing or does not work; the text says what to do."""


class Failed(Exception):
    """A scenario saw something other than what pisink promises; the text says what, and what was expected."""


def check(condition, what):
    """Fails the scenario with `what` unless `condition` holds."""
    if not condition:
        raise Failed(what)
