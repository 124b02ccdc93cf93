"""Operating a relay: short connections that prove to be an operator's and say one thing."""

from __future__ import annotations

from .calls import call
from .errors import DecodeError, NotAllowedError, NotFoundError, ValidationError
from .ids import DeviceId, device_bytes
from .storage import operators
from .storage.database import Database
from .transport.base import Connect
from .transport.tokens import TokenSource
from .trust.keys import DeviceKeys
from .wire import frames
from .wire.operator_link import decode_operator_link


class Operator:
    """Is what a person can do as an operator of relays; get it from ``Peer.operator``."""

    def __init__(
        self,
        db: Database,
        keys: DeviceKeys,
        *,
        connect: Connect | None,
        token: TokenSource | None,
    ) -> None:
        self._db = db
        self._keys = keys
        self._connect = connect
        self._token = token

    def relays(self) -> list[str]:
        """Return the addresses of the relays that this device operates."""
        return operators.all_relays(self._db)

    async def login(self, link: str) -> str:
        """Show a relay its operator link, keep it, and return the relay's address.

        Connections from then on are an operator's. Raises ``InviteError`` for a bad link,
        ``RelayRefused`` for one that is not this relay's, and the ``TransportError`` family.
        """
        relay, secret = decode_operator_link(link)
        relay = relay.rstrip("/")
        await self._tell(relay, secret, None)
        with self._db.atomic():
            operators.keep_secret(self._db, relay, secret)
        return relay

    def logout(self, relay: str) -> None:
        """Forget a relay's operator link; raises ``NotFoundError`` where there is none."""
        with self._db.atomic():
            if not operators.forget_secret(self._db, relay.rstrip("/")):
                raise NotFoundError(f"this device is no operator of {relay}")

    async def revoke(self, relay: str, device: str, *, undo: bool = False) -> None:
        """Have a relay turn a device away, or let it in again.

        Raises ``NotAllowedError`` when this device is no operator there, ``ValidationError`` for
        what is no device id, ``RelayRefused``, and the ``TransportError`` family.
        """
        relay = relay.rstrip("/")
        secret = operators.find_secret(self._db, relay)
        if not secret:
            raise NotAllowedError(
                f"this device is no operator of {relay}: use its operator link first"
            )
        try:
            short = device_bytes(DeviceId(device))
        except DecodeError as exc:
            raise ValidationError(str(exc)) from exc
        await self._tell(relay, secret, frames.Revoke(short, "", undo))

    async def _tell(self, relay: str, secret: bytes, frame: frames.Frame | None) -> None:
        """Say one thing to a relay as its operator, and wait until it has done it.

        A relay does one thing of a connection after the other, so the Pong comes after the deed.
        """
        await call(
            relay,
            [*([frame] if frame else []), frames.Ping(1)],
            until=frames.Pong,
            keys=self._keys,
            connect=self._connect,
            token=self._token,
            operator_secret=secret,
        )
