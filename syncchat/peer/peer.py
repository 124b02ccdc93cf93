"""Peers: one running installation with its own device key and database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..contacts import Contacts
from ..core.values import (
    TITLE_CHARS_MAX,
    Root,
    is_label,
)
from ..devices import Devices
from ..errors import ValidationError
from ..personal import SETTINGS_FIELD
from ..ports import Clock, Random
from ..room import Room, checked_title
from ..storage import members, rooms
from ..storage.locks import Key
from ..storage.rooms import Standing
from ..transport.base import Connect, host_of
from ..transport.tokens import TokenSource
from ..wire.invite import InviteKind, decode_invite
from .blocking import PeerBlocking
from .files import PeerFiles
from .reading import PeerReading
from .search import PeerSearch
from .stream import PeerEvents
from .talks import PeerTalks

if TYPE_CHECKING:
    from ..operate import Operator


_OUT = (
    Standing.REMOVED,
    Standing.LEFT,
    Standing.REFUSED,
    Standing.JOINING,
    Standing.ASKING,
)


def open_peer(
    path: str | Path,
    *,
    name: str | None = None,
    key: Key | None = None,
    clock: Clock | None = None,
    random: Random | None = None,
    connect: Connect | None = None,
    token: TokenSource | None = None,
) -> Peer:
    """Open a peer's database, creating it and the device's keys at first use.

    ``name`` is what others see; given again, it renames. ``key`` locks a new database and opens one
    that is locked with it. The peer belongs to the thread that
    opens it; other threads and processes open the same path for themselves. ``clock``, ``random``
    and ``connect`` replace the system's, for tests. ``token`` is asked, with a relay's address and
    this device's key, for what vouches there (see ``TokenSource``). Raises the ``StorageError``
    family and ``ValidationError``.
    """
    return Peer._open(
        path, name=name, key=key, clock=clock, random=random, connect=connect, token=token
    )


class Peer(PeerEvents, PeerReading, PeerSearch, PeerBlocking, PeerTalks):
    """Is an open database; use it as a context manager."""

    # Rooms

    def create_room(self, title: str, *, relay: str = "", history: str = "shared") -> Room:
        """Create a room; ``relay`` is the address others meet at, empty for a room of one's own.

        ``history`` says what new members may read: "shared" for all, "from_join" for what comes
        after. Raises ``ValidationError``.
        """
        checked = checked_title(title)
        if relay:
            host_of(relay)
        with self._db.atomic():
            row = self._membership.create(checked, relay.rstrip("/"), history=history)
            self._put_field(row.id, Root.ROOM, "title", checked)
            self._introduce(row.id)
            self.devices.tell_home()
        self._ring()
        return Room(self, row.id)

    def join(self, link: str) -> Room:
        """Join a room by its invite link; works offline, history comes with the first sync.

        Where the invite needs approval, an admin lets this person in (``Room.standing`` is
        "asking" until then). Joining again returns the room as it is, and tries another invite
        where one led nowhere. Raises ``InviteError``, and ``ValidationError`` for a link that is
        for a device.
        """
        invite = decode_invite(link)
        if invite.kind is InviteKind.DEVICE:
            raise ValidationError("this link is for another device of yours: use 'device join'")
        asks = invite.kind is InviteKind.APPROVAL
        standing = Standing.ASKING if asks else Standing.JOINING
        if invite.relay:
            host_of(invite.relay)
        with self._db.atomic():
            here = rooms.find_by_id(self._db, invite.room_id)
            if here is not None and here.standing in _OUT:
                rooms.use_invite(self._db, here.id, standing, invite.seed)
            if here is None:
                here = rooms.add_room(
                    self._db,
                    invite.room_id,
                    title=invite.title if is_label(invite.title, TITLE_CHARS_MAX) else "",
                    relay=invite.relay,
                    standing=standing,
                    invite=invite.seed,
                    now_ms=self.now_ms(),
                )
                members.set_owners(self._db, here.id, [(self.device, self.id)])
                self._introduce(here.id)
                self.devices.tell_home()
        self._ring()
        return Room(self, here.id)

    def rooms(self, *, archived: bool | None = None) -> list[Room]:
        """Return every room: favourites first, else in the order in which they were added.

        With ``archived`` only those that are archived, or only the others. Of two direct rooms with
        one person, where both have made one at the same time, the one that is not used shows only
        if something was written in it.
        """
        found = [row for row in rooms.all_rooms(self._db) if not row.is_personal]
        every = [
            handle
            for row, handle in [(row, Room(self, row.id)) for row in found]
            if not row.direct or handle.count() or self._direct_row(row.direct) in (None, row)
        ]
        if not self._personal.all(SETTINGS_FIELD):
            return [] if archived else every
        settings = [(room, room.settings) for room in every]
        wanted = [each for each in settings if archived in (None, each[1].archived)]
        return [room for room, _ in sorted(wanted, key=lambda each: not each[1].favourite)]

    def room(self, name: str | bytes) -> Room:
        """Return the room with this id, title, or beginning of its id in text.

        Raises ``NotFoundError``, and ``ValidationError`` when several have the title.
        """
        if isinstance(name, bytes):
            row = rooms.find_by_id(self._db, name)
            if row is not None:
                return Room(self, row.id)
            name = name.hex()
        return Room(self, rooms.find_room(self._db, name).id)

    @property
    def devices(self) -> Devices:
        """Return what this person can do about their devices and their recovery phrase."""
        return Devices(self)

    @property
    def contacts(self) -> Contacts:
        """Return what this person knows of others: safety numbers, and what has changed."""
        return Contacts(self)

    @property
    def files(self) -> PeerFiles:
        """Return what this peer keeps of files, and how much."""
        return PeerFiles(self)

    @property
    def operator(self) -> Operator:
        """Return what this person can do as an operator of relays."""
        from ..operate import Operator

        return Operator(self._db, self._keys, connect=self._connect, token=self._token)

    # Checks

    def check(self) -> list[str]:
        """Return every fault found in the database, in words; empty when all is well.

        Recounts digests and unread counts, verifies every chain's signatures, compares what the
        journals hold with what the CRDT library makes of the same updates, and reads all files.
        """
        from .. import checks

        return checks.faults(self._db, self._keys.device)

    def recount(self) -> list[str]:
        """Return what counts and digests are off, in words: the quick part of ``check``."""
        from .. import checks

        return checks.miscounts(self._db, self._keys.device)

    def rebuild(self) -> None:
        """Fold every room's view anew from its stored envelopes and the outbox.

        Chunks of files that are damaged or gone count as not here from then on.
        """
        from .. import checks

        checks.rebuild(self._db, self._keys.device, now_ms=self.now_ms())

    def backup(self, path: str | Path, passphrase: str) -> None:
        """Write everything to one encrypted file, as it is now; an older backup is replaced.

        ``syncchat.restore`` makes a database of it again. Raises ``ValidationError`` for a
        passphrase under 8 characters or a file that is no backup, and the ``StorageError`` family.
        """
        from ..storage.backup import write_backup

        write_backup(self._db, path, passphrase, random=self._random)
