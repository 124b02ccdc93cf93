"""Admission: who may come in, and who may create rooms.

Everyone proves a device key first. The challenge is bound to the host name that the peer dialled,
so that a relay which passes ours on to its own visitors gets answers that are of no use here. In
mode ``token`` somebody else then vouches for the device: the question leaves the hub as ``Vouch``
and its answer comes back to ``vouched``; a connection's grant ends unless it is renewed. Who was
revoked is turned away in every mode. What is said of a token that does not admit is always the
same; why, only the log of who looked at it tells.

An operator's device shows by a keyed hash over its challenge that it knows the relay's operator
secret. It may create rooms and revoke; a proof that does not hold takes nothing but that.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from syncchat.errors import SignatureInvalid
from syncchat.trust.keys import auth_text, operator_proof, verify
from syncchat.wire.codes import ErrorCode
from syncchat.wire.frames import AnyFrame, Auth, Error, Renew, Revoke, encode
from syncchat.wire.limits import VERSION

from .config import Admit, Config, Creators
from .connection import DEVICE_BYTES, Connection
from .effects import Effect, KeepRevocation, Send, Vouch, Vouched

REMIND_MS = 60_000
"""How long before its end a grant's holder is reminded; a third of the grant where that is less."""

RETRY_MS = 1_000
"""When to come back after nobody could say whether a token holds."""


class Refused(Exception):
    """Ends a connection with a code and a text; never leaves the hub."""

    def __init__(self, code: ErrorCode, text: str, retry_after_ms: int = 0) -> None:
        super().__init__(text)
        self.code = code
        self.retry_after_ms = retry_after_ms


@dataclass(frozen=True, slots=True)
class Revoked:
    """Is who is turned away: devices by their 8 bytes, subjects as tokens name them."""

    devices: frozenset[bytes] = frozenset()
    subjects: frozenset[str] = frozenset()


class Admission:
    """Decides for one relay; knows no time but what it is told, and does no IO."""

    def __init__(self, config: Config, *, incarnation: bytes, operator_secret: bytes = b"") -> None:
        self._mode = config.admission
        self._creators = config.creators
        self._grant_ms_max = config.grant_ms_max
        self._names = config.accepted_names
        self._incarnation = incarnation
        self._operator_secret = operator_secret
        self.revoked = Revoked()

    def enter(self, connection: Connection, frame: AnyFrame | None) -> list[Effect]:
        """Take a connection's first frame; it is admitted now or when ``vouched`` is told so.

        Raises ``Refused``.
        """
        if connection.is_vouching:
            raise Refused(ErrorCode.BAD_FRAME, "a frame came while a token was looked at")
        auth, is_operator = self._prove(frame, connection.nonce)
        connection.device_key = auth.device_key
        connection.is_operator = is_operator
        told: list[Effect] = []
        if auth.operator and not is_operator:
            text = "the operator's proof does not hold for this relay"
            told.append(_error(connection, ErrorCode.NOT_OPERATOR, text))
        if self._mode == Admit.TOKEN:
            return [*told, self._vouch(connection, auth.token)]
        self._admit(connection)
        return told

    def renew(self, connection: Connection, frame: Renew) -> list[Effect]:
        """Take a fresh token; where no tokens are asked for it means nothing."""
        if self._mode != Admit.TOKEN:
            return []
        return [self._vouch(connection, frame.token)]

    def vouched(self, connection: Connection, answer: Vouched, now_ms: int) -> None:
        """Take the answer to ``Vouch``; raises ``Refused``."""
        connection.is_vouching = False
        if answer.has_failed:
            text = "the relay could not check the token"
            raise Refused(ErrorCode.INTERNAL, text, RETRY_MS)
        grant, left_ms = answer.grant, min(answer.left_ms, self._grant_ms_max)
        is_other = connection.device and grant and grant.subject != connection.subject
        if grant is None or left_ms <= 0 or is_other:
            raise _bad_token()
        connection.subject = grant.subject
        self._admit(connection)
        connection.may_create_rooms = grant.may_create_rooms
        connection.grant_ends_ms = now_ms + left_ms
        connection.remind_at_ms = connection.grant_ends_ms - min(REMIND_MS, left_ms // 3)

    def check_grant(self, connection: Connection, now_ms: int) -> list[Effect]:
        """Look at a connection's grant as time passes; raises ``Refused`` when it has ended."""
        ends_ms = connection.grant_ends_ms
        if not ends_ms:
            return []
        if now_ms >= ends_ms:
            raise Refused(ErrorCode.TOKEN_EXPIRED, "the token has expired", RETRY_MS)
        if not connection.remind_at_ms or now_ms < connection.remind_at_ms:
            return []
        connection.remind_at_ms = 0
        text = "the token expires soon"
        return [_error(connection, ErrorCode.TOKEN_EXPIRING, text, ends_ms - now_ms)]

    def check_revoked(self, connection: Connection) -> None:
        """Raise ``Refused`` when a connection's device or subject is turned away."""
        device = connection.device_key[:DEVICE_BYTES]
        if device in self.revoked.devices or (
            connection.subject and connection.subject in self.revoked.subjects
        ):
            if self._mode == Admit.TOKEN:
                raise _bad_token()
            raise Refused(ErrorCode.BAD_AUTH, "this relay does not let this device in")

    def revoke(self, connection: Connection, frame: Revoke) -> list[Effect]:
        """Take an operator's word on who is to be turned away; raises ``Refused``."""
        if not connection.is_operator:
            text = "only an operator of this relay may revoke"
            return [_error(connection, ErrorCode.NOT_OPERATOR, text)]
        if len(frame.device) not in (0, DEVICE_BYTES) or bool(frame.device) == bool(frame.subject):
            raise Refused(ErrorCode.BAD_FRAME, "Revoke names a device or a subject")
        return [KeepRevocation(connection.conn, frame.device, frame.subject, frame.undo)]

    def may_create_room(self, connection: Connection, *, is_member: bool = False) -> bool:
        """Tell whether a connection may create a room.

        ``is_member`` says that its device may already read some room here; only the rooms' logs
        know that.
        """
        if connection.is_operator or self._mode == Admit.OPEN:
            return True
        if self._mode == Admit.TOKEN:
            return connection.may_create_rooms
        match self._creators:
            case Creators.ANYONE:
                return True
            case Creators.MEMBERS:
                return is_member
            case _:
                return False

    def _prove(self, frame: AnyFrame | None, nonce: bytes) -> tuple[Auth, bool]:
        """Return a first frame whose signature holds, and whether an operator's device sent it."""
        if not isinstance(frame, Auth):
            raise Refused(ErrorCode.BAD_FRAME, "the first frame must be Auth")
        if frame.version != VERSION:
            raise Refused(ErrorCode.BAD_VERSION, f"this relay speaks version {VERSION}")
        if frame.host.lower() not in self._names:
            raise Refused(ErrorCode.BAD_AUTH, "the host name is not one of this relay's")
        text = auth_text(
            host=frame.host, incarnation=self._incarnation, nonce=nonce, version=frame.version
        )
        try:
            verify(frame.device_key, text, frame.signature)
        except SignatureInvalid as exc:
            raise Refused(ErrorCode.BAD_AUTH, "the signature does not hold") from exc
        if not frame.operator or not self._operator_secret:
            return frame, False
        proof = operator_proof(self._operator_secret, device_key=frame.device_key, text=text)
        return frame, hmac.compare_digest(proof, frame.operator)

    def _vouch(self, connection: Connection, token: str) -> Vouch:
        if not token:
            raise _bad_token()
        connection.is_vouching = True
        return Vouch(connection.conn, connection.device_key, token)

    def _admit(self, connection: Connection) -> None:
        self.check_revoked(connection)
        connection.device = connection.device_key[:DEVICE_BYTES]


def _bad_token() -> Refused:
    return Refused(ErrorCode.BAD_TOKEN, "the token does not admit this device here")


def _error(connection: Connection, code: ErrorCode, text: str, retry_after_ms: int = 0) -> Send:
    data = encode(Error(code, retry_after_ms, text))
    connection.unsent_bytes += len(data)
    return Send((connection.conn,), data)
