"""What a relay can be told, in one frozen value; every limit with its reason."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from syncchat.errors import ValidationError
from syncchat.wire.limits import NAME_BYTES_MAX

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class Admit(StrEnum):
    """Says who may come in."""

    ROOMS = "rooms"
    """Whoever proves a device key; what a device may read and write its rooms' logs say."""
    TOKEN = "token"
    """Only devices that an embedding app vouches for with a token."""
    OPEN = "open"
    """Whoever proves a device key, and may do anything; for one machine and for tests."""


class Creators(StrEnum):
    """Says who may create rooms; operators always may."""

    ANYONE = "anyone"
    MEMBERS = "members"
    """Devices of those who may already read some room here."""
    OPERATORS = "operators"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Is all that a relay is told.

    ``data_dir`` is the folder of the log, or None for a log in memory that ends with the relay.
    ``names`` are the host names that peers may dial, and so sign, in the challenge; empty means
    the loopback names and ``host``. ``tls_cert`` and ``tls_key`` are PEM files; ``behind_proxy``
    says that TLS is ended in front of this relay. ``create_rooms`` is, unless given, anyone's on
    loopback and the members' elsewhere; tokens say it themselves. Raises ``ValidationError`` for
    settings that cannot serve.
    """

    data_dir: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    names: tuple[str, ...] = ()
    admission: Admit = Admit.ROOMS
    create_rooms: Creators | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False

    grant_ms_max: int = 15 * 60_000
    """No token admits for longer at a time, so a revocation need not be remembered for longer."""

    connections_max: int = 10_000
    """About 15 KiB each when idle; beyond it a newcomer is told to come back later."""

    connections_retry_ms: int = 5_000
    """When a refused newcomer may try again: some of the silent ones are gone by then."""

    unsent_bytes_max: int = 512 * 1024
    """Above this a receiver is slow: it gets nothing live and reads from the log later."""

    unsent_bytes_low: int = 128 * 1024
    """Below this a slow receiver is given the next part of the log."""

    transport_bytes_max: int = 2 * 1024 * 1024
    """What may wait in a socket's own buffer (answers to WebSocket pings); beyond it ends."""

    deliver_bytes_max: int = 128 * 1024
    """Envelopes in one Deliver: large enough to be cheap, small enough to show progress."""

    reads_in_flight_max: int = 2
    """Log reads per connection: one is on its way out while the next is read."""

    pending_envelopes_max: int = 8_192
    """Envelopes of all connections that wait for a commit: under a second of work."""

    pending_bytes_max: int = 16 * 1024 * 1024
    """The same in bytes; beyond either, items are answered FULL."""

    room_blob_bytes_max: int = 8 * 1024**3
    """What the files of one room may take; beyond it they are refused, and say so."""

    blob_bytes_max: int = 64 * 1024**3
    """What all files may take. 0 takes none."""

    blob_days_max: int = 0
    """How long files are kept, however much they are wanted; 0 for as long as there is room."""

    pending_blob_bytes_max: int = 64 * 1024 * 1024
    """Parts of files that wait to be stored, of all connections; beyond it peers wait a little."""

    blob_bytes_per_second: int = 1024 * 1024 * 1024
    """A connection's sustained rate of what it uploads of files; messages have their own."""

    blob_bytes_burst: int = 64 * 1024 * 1024
    """Lets a full window of a fast peer through at once, many times."""

    flush_envelopes_max: int = 512
    """Envelopes in one transaction: more would not be faster, only later."""

    flush_bytes_max: int = 1024 * 1024
    """The same in bytes."""

    flush_every_ms: int = 8
    """Between the beginnings of transactions while many devices push: what comes meanwhile shares
    one, and nobody who reads sees 8 ms."""

    frames_per_second: int = 2_000
    """A connection's sustained rate of work units (a frame is one, see ``hub``)."""

    frames_burst: int = 8_000
    """Lets a peer with thousands of rooms ask about each of them when it connects."""

    bytes_per_second: int = 32 * 1024 * 1024
    """A connection's sustained rate; a refill over a local network stays below it."""

    bytes_burst: int = 16 * 1024 * 1024
    """Lets a full window of pushes through at once, several times."""

    signals_per_second: int = 4
    """A connection's sustained rate of signals; a peer of ours says 120 in a minute at most."""

    signals_burst: int = 120
    """Lets a peer say in all of its rooms at once that it is there."""

    cursors_small_ms: int = 1_000
    """How often a small room hears about cursors: people watch for *delivered*."""

    cursors_large_ms: int = 5_000
    """The same for a large room, where every change goes to everybody."""

    cursors_small_members: int = 20
    """Up to this many subscribers a room is small."""

    tick_ms: int = 500
    """How often the hub looks at its clocks."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValidationError(f"port {self.port} is not between 0 and 65535")
        for name in self.names:
            if not name or len(name.encode()) > NAME_BYTES_MAX or "/" in name:
                raise ValidationError(
                    f"{name!r} is not a host name: give the part of the address between "
                    "'://' and the port"
                )
        if not self.names and not is_loopback(self.host):
            raise ValidationError(
                f"a relay on {self.host} needs the host names that peers will dial: "
                "add names=('relay.example.org',), or --name on the command line"
            )
        if min(self.room_blob_bytes_max, self.blob_bytes_max, self.blob_days_max) < 0:
            raise ValidationError("a quota of files is 0 or more")
        self._check_privacy()

    def _check_privacy(self) -> None:
        if (self.tls_cert is None) is not (self.tls_key is None):
            raise ValidationError("--tls-cert and --tls-key belong together: give both")
        if not is_loopback(self.host) and self.tls_cert is None and not self.behind_proxy:
            raise ValidationError(
                f"a relay on {self.host} needs TLS: add --tls-cert and --tls-key, or "
                "--behind-proxy where a proxy in front of it ends TLS"
            )
        if self.admission == Admit.OPEN and self.is_public:
            raise ValidationError(
                "admission 'open' lets everybody do everything, so it is for loopback only: use "
                "'rooms' or 'token' for a relay that others reach"
            )

    @property
    def is_open(self) -> bool:
        """Tell whether anybody may read and write any room; else the rooms' records say who."""
        return self.admission == Admit.OPEN

    @property
    def is_public(self) -> bool:
        """Tell whether others than this machine may reach the relay."""
        return not is_loopback(self.host) or self.behind_proxy

    @property
    def creators(self) -> Creators:
        """Return who may create rooms, in the modes where tokens do not say it."""
        if self.create_rooms is not None:
            return self.create_rooms
        return Creators.MEMBERS if self.is_public else Creators.ANYONE

    @property
    def accepted_names(self) -> frozenset[str]:
        """Return the host names that a challenge may be answered for, in lower case."""
        names = self.names or (*LOOPBACK_NAMES, self.host)
        return frozenset(name.lower() for name in names)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a socket bound to ``host``."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
