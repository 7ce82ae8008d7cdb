"""The errors that a user can mend: printed as one line, exit code 2."""


class UsageError(Exception):
    """What the user gave cannot be used. The message names the value, its place and what is allowed."""


class ConfigError(UsageError):
    """A configuration key or value that is not allowed."""


class DataError(UsageError):
    """A data file that is missing or cannot be read as it should."""
