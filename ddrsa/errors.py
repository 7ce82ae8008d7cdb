"""Errors that are told in one line. Those that a user can mend are UsageErrors: exit code 2."""


class UsageError(Exception):
    """An input of the user cannot be used. The message names the value, its place and what is allowed."""


class ConfigError(UsageError):
    """A configuration key or value that is not allowed."""


class DataError(UsageError):
    """A data file that is missing or cannot be read as it should."""


class RunEnded(Exception):  # noqa: N818 - it says what happened; a traceback would add nothing
    """A run did not end well, for the reason that the message gives. state: failed, killed or interrupted."""

    def __init__(self, reason: str, state: str = "failed") -> None:
        super().__init__(reason, state)
        self.state = state

    def __str__(self) -> str:
        return str(self.args[0])
