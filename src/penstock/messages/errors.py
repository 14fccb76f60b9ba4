"""The exceptions whose message is written for the person at the keyboard, and which may pass."""

import errno
from pathlib import Path

from .printable import printable

ERROR = "penstock: error: "  # how a line begins that says why a command failed
TEMPORARY = 75  # exit status: EX_TEMPFAIL of sysexits.h, which Python has on Unix only

# Trouble of network or file system that may be gone on the next attempt. Not what stays until
# somebody acts: nothing there (ENOENT), no permission (EACCES), no space (ENOSPC, EDQUOT).
_NAMES = (
    *("EIO", "ESTALE", "EREMOTEIO", "ENOLINK", "ENOLCK", "EBUSY", "EAGAIN"),
    *("ETIMEDOUT", "ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "ENOTCONN", "ESHUTDOWN"),
    *("ENETUNREACH", "ENETDOWN", "ENETRESET", "EHOSTUNREACH", "EHOSTDOWN", "ECOMM"),
)
PASSING = {getattr(errno, name) for name in _NAMES if hasattr(errno, name)}
# Raised without an errno as well: by a socket's time-out, by a server that hangs up.
_PASSING_TYPES = (TimeoutError, ConnectionResetError, ConnectionRefusedError)


class PenstockError(Exception):
    """Something a user can mend: the message names the file, the value and the remedy.

    The command line prints it as one line, without a traceback, and exits with 1.
    """

    def __init__(self, message: str, *more: str) -> None:
        """Set up.

        Args:
            message: one line; a name in it that would end the line is escaped.
            more: further lines, of a log say.
        """
        super().__init__("\n".join(map(printable, (message, *more))))


class TemporaryError(PenstockError):
    """Trouble of network or file system that may pass: the same command may do better later.

    The command line exits with 75, which tells a scheduler to retry; never for bad data.
    """


class KilledError(PenstockError):
    """A stage was killed from outside: that says nothing of its data, settings or code."""


def is_temporary(error: BaseException | None) -> bool:
    """Whether an error may pass, or came of one that may, as a traceback would show."""
    return _origin(error) is not None


def _origin(error: BaseException | None) -> BaseException | None:
    """The error that may pass, of those that a traceback would show."""
    seen: set[int] = set()
    while error and id(error) not in seen:
        if isinstance(error, (TemporaryError, *_PASSING_TYPES)):
            return error
        if isinstance(error, OSError) and error.errno in PASSING:
            return error
        seen.add(id(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None


def raise_if_temporary(error: Exception, place: Path | str) -> None:
    """Raise what may pass, before anything is said of the data; else return.

    Args:
        error: the one that is being handled.
        place: what was worked on, where the error names no file.

    Raises:
        TemporaryError: the error may pass.
    """
    if origin := _origin(error):
        file = getattr(origin, "filename", None) or place
        reason = getattr(origin, "strerror", None) or " ".join(str(origin).split())
        raise TemporaryError(
            f"{file}: {reason or type(origin).__name__}: trouble of network or file system, which "
            "may pass; try again later"
        ) from None
