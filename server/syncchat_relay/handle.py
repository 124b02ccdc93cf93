"""What a program holds of a relay that it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from syncchat.errors import DecodeError, ValidationError
from syncchat.ids import DEVICE_BYTES, DEVICE_KEY_BYTES, DeviceId, device_bytes
from syncchat.wire.limits import SUBJECT_CHARS_MAX


@dataclass(frozen=True, slots=True)
class Relay:
    """Is a relay that is listening.

    ``operator_link`` makes whoever has it an operator; empty where there are none (admission
    ``token`` or ``open``, or a log in memory). It was made now if ``is_first_start``.
    """

    url: str
    port: int
    incarnation: bytes
    operator_link: str = field(repr=False)
    is_first_start: bool
    _revoke: Callable[[bytes, str, bool, bool], Awaitable[None]] = field(repr=False)
    _reload_tls: Callable[[], None] = field(repr=False)

    async def revoke(
        self, *, subject: str = "", device: str | bytes = "", for_good: bool = False
    ) -> None:
        """Turn a subject or a device away: connections end at once, and no other is let in.

        ``subject`` is the person as tokens name them, ``device`` an id or a key. A subject is
        turned away until all tokens of before have expired, so stop giving out new ones; a device,
        or a subject ``for_good``, until ``restore``. It survives a restart. Raises
        ``ValidationError``, and the ``StorageError`` family when it could not be kept.
        """
        await self._revoke(*checked_name(subject, device), False, for_good)

    async def restore(self, *, subject: str = "", device: str | bytes = "") -> None:
        """Let a subject or a device in again; raises as ``revoke`` does."""
        await self._revoke(*checked_name(subject, device), True, False)

    def reload_tls(self) -> None:
        """Load the certificate again, for connections from now on.

        Raises ``ValidationError`` when it cannot serve, and goes on with the one before.
        """
        self._reload_tls()


def checked_name(subject: str, device: str | bytes) -> tuple[bytes, str]:
    """Return a device's 8 bytes or a subject, the other empty; raises ``ValidationError``."""
    if bool(subject) == bool(device):
        raise ValidationError("revoking takes a subject or a device: give one of them")
    if len(subject) > SUBJECT_CHARS_MAX:
        raise ValidationError(f"a subject has at most {SUBJECT_CHARS_MAX} characters")
    if isinstance(device, bytes):
        if len(device) not in (0, DEVICE_BYTES, DEVICE_KEY_BYTES):
            raise ValidationError("a device is the 32 bytes of its key, or the first 8 of them")
        return device[:DEVICE_BYTES], subject
    try:
        return device_bytes(DeviceId(device)) if device else b"", subject
    except DecodeError as exc:
        raise ValidationError(f"{device!r} is no device id: {exc}") from exc
