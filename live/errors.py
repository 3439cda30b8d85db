"""The errors a user can cause or meet. Each message is one line: what was wrong, what is allowed, what to do next.

Anything else that escapes is a bug of ours and shows its traceback.
"""


class LiveError(Exception):
    """Base of all errors that are told to the user in one line; exit code 1."""

    exit_code = 1


class UsageError(LiveError):
    """The user asked for something that does not exist or is not allowed; exit code 2."""

    exit_code = 2


class ConfigError(UsageError):
    """A preset, a key or a value is wrong."""


class ConsentError(UsageError):
    """A source face without a statement of consent."""


class FaceError(UsageError):
    """A photo that cannot serve as a source face, or a face that is not in the gallery."""


class CaptureError(LiveError):
    """An input cannot be opened or stopped delivering."""


class OutputError(LiveError):
    """An output cannot be opened or stopped taking pictures."""


class ModelError(LiveError):
    """A model file is missing, broken or does not fit."""
