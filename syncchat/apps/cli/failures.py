"""How commands end: one line on standard error, and an exit code that scripts can rely on."""

from __future__ import annotations

from enum import IntEnum

from ... import errors


class Exit(IntEnum):
    """Is the exit code of a command."""

    DONE = 0
    """Done; also "queued, and goes out later"."""
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    """There is no such database, room or message; or the doctor found faults."""
    REFUSED = 4
    """A rule, or the relay, does not allow it; or the key does not open the file."""
    NOT_REACHED = 5
    """The relay was not reached; what was written is safe here."""
    INTERRUPTED = 130


class NotReached(errors.SyncchatError):
    """The relay was not reached in the time that the person gave."""


_CODES: tuple[tuple[type[errors.SyncchatError], Exit], ...] = (
    (errors.ValidationError, Exit.USAGE),
    (errors.InviteError, Exit.USAGE),
    (errors.NotFoundError, Exit.NOT_FOUND),
    (errors.NotAllowedError, Exit.REFUSED),
    (errors.DatabaseLocked, Exit.REFUSED),
    (errors.NotEncrypted, Exit.REFUSED),
    (errors.BackupLocked, Exit.REFUSED),
    (errors.RelayRefused, Exit.REFUSED),
    (errors.TransportError, Exit.NOT_REACHED),
    (NotReached, Exit.NOT_REACHED),
)


def exit_code(exc: errors.SyncchatError) -> Exit:
    """Return the exit code of an error that was raised on purpose."""
    return next((code for kind, code in _CODES if isinstance(exc, kind)), Exit.FAILURE)


def first_cause(exc: BaseException) -> BaseException:
    """Return the error itself where task groups have wrapped it."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc
