"""Linking: how a new device becomes one of a person's, by a link or by a code, and the emoji.

What keeps somebody who stands between out is told in ``trust.linking``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from ..errors import NotAllowedError, NotFoundError, ValidationError
from ..exchange.homing import follow_home
from ..exchange.intents import Admit, CloseInvite, OpenInvite
from ..ids import DeviceId, RoomId
from ..storage import identity, members, rooms
from ..storage.rooms import RoomRow, Standing
from ..transport.base import host_of
from ..trust.changes import Request, Role, change_of
from ..trust.keys import DeviceKeys
from ..trust.linking import code_seed, commitment, link_emoji, new_code
from ..trust.records import RecordHash, decode_record
from ..wire import frames
from ..wire.invite import INVITE_SECRET_BYTES, InviteKind, InviteLink, decode_invite, encode_invite
from .base import DevicesPart

LINK_FOR = timedelta(minutes=15)
"""How long a link or code for a new device works."""

DIFFERED = "the emoji were not the same, so somebody may stand between; use a new database"


@dataclass(frozen=True, slots=True)
class DeviceAsking:
    """Is a new device that asks to be linked.

    ``emoji`` must be the same seven on both screens before it is approved; none until both sides
    have heard of each other.
    """

    id: DeviceId
    emoji: tuple[str, ...]


class DeviceLinking(DevicesPart):
    """Lets a new device in, or is the new device."""

    # The device that lets another in

    def link(self) -> str:
        """Return a link by which a new device asks to be linked; it works once, for 15 minutes.

        This peer has to be online to answer it. Raises ``NotAllowedError`` without a home.
        """
        row = self._need_home()
        link = InviteLink(
            row.room_id,
            row.relay,
            InviteKind.DEVICE,
            self._peer._random.bytes(INVITE_SECRET_BYTES),
            "",
        )
        self._open_invite(row, link.seed)
        return encode_invite(link)

    def code(self) -> str:
        """Return a code that does what a link does and can be read out and typed.

        It takes some tenths of a second, on purpose. The new device needs ``home``, the relay's
        address, as well. Raises ``NotAllowedError`` without a home.
        """
        row = self._need_home()
        code = new_code(self._peer._random)
        self._open_invite(row, code_seed(code))
        return code

    def asking(self) -> list[DeviceAsking]:
        """Return the new devices that ask to be linked."""
        row = self._home()
        group = None if row is None else self._membership.group_or_none(row.id)
        if row is None or group is None:
            return []
        linked = {device.id for device in self._membership.person.active}
        return [
            DeviceAsking(person.active[0].id, self._emoji(row, hash_))
            for hash_, (_, person) in group.requests.items()
            if person.active[0].id not in linked
        ]

    def approve(self, device: str) -> None:
        """Link a device that asks, after the emoji on both screens were compared.

        Raises ``NotFoundError``, ``NotAllowedError``.
        """
        row = self._need_home()
        for hash_, (_, person) in self._membership.group(row.id).requests.items():
            if person.active[0].id.startswith(device) and device:
                if not self._emoji(row, hash_):
                    raise NotAllowedError("the device is not ready yet: compare the emoji first")
                with self._db.atomic():
                    self._membership.change(row.id, Admit(hash_, Role.MEMBER))
                self._peer._ring()
                return
        raise NotFoundError(f"no device {device[:20]!r} asks to be linked")

    def turn_down(self, device: str) -> None:
        """Refuse a device that asks, and close the link or code by which it came.

        Raises ``NotFoundError``, ``NotAllowedError``.
        """
        row = self._need_home()
        for asked, person in self._membership.group(row.id).requests.values():
            if person.active[0].id.startswith(device) and device:
                with self._db.atomic():
                    self._membership.change(row.id, CloseInvite(asked.invite))
                self._peer._ring()
                return
        raise NotFoundError(f"no device {device[:20]!r} asks to be linked")

    # The device that is new

    def ask(self, link: str) -> None:
        """Ask another device of the person's to be linked, by its link.

        Only in a database that has no rooms: it becomes that person's. Raises ``InviteError``,
        ``ValidationError``.
        """
        found = decode_invite(link)
        if found.kind is not InviteKind.DEVICE:
            raise ValidationError("this link invites to a room; use it with join")
        self._ask(found.room_id, found.relay, Standing.ASKING, found.seed)

    async def ask_by_code(self, code: str, relay: str) -> None:
        """Ask another device of the person's to be linked, by its code and its home's relay.

        Only in a database that has no rooms. A code does not say whose it is, so this device
        becomes nobody's before ``agree``. Again with the same code is harmless. Raises
        ``InviteError`` for a mistyped code, ``NotFoundError`` for one that no device waits with,
        ``ValidationError``, ``RelayRefused`` and the ``TransportError`` family.
        """
        from ..calls import call

        host_of(relay)
        relay = relay.rstrip("/")
        seed = await asyncio.to_thread(code_seed, code)
        row = self._home()
        if row is not None and row.standing.is_coming and row.invite == seed:
            return
        self._check_unused()
        invite = DeviceKeys(seed).public
        found = await call(
            relay,
            [frames.Find(invite)],
            until=frames.Found,
            keys=self._keys,
            connect=self._peer._connect,
            token=self._peer._token,
        )
        if found.invite != invite or not found.room:
            raise NotFoundError(
                f"no device waits with this code at {relay}: it was used, is older than 15 "
                "minutes, or is of another relay; make a new one"
            )
        self._ask(RoomId(found.room), relay, Standing.COMPARING, seed)

    def own_emoji(self) -> tuple[str, ...]:
        """Return the emoji that this device shows while it asks to be linked, none until then."""
        row = self._home()
        if row is None or row.standing not in (Standing.ASKING, Standing.COMPARING):
            return ()
        for hash_, asked in self._own_requests(row):
            nonce = self._membership.group(row.id).challenges.get(hash_)
            if nonce is not None:
                said = commitment(row.invite or b"", room=row.room_id, nonce=nonce)
                return self._emoji(row, hash_) if said == asked.commitment else ()
        return ()

    @property
    def must_compare(self) -> bool:
        """Tell whether this device, which asks by a code, waits for ``agree``."""
        row = self._home()
        return row is not None and row.standing is Standing.COMPARING

    def agree(self) -> None:
        """Take note, on a new device that asked by a code, that both showed the same emoji.

        It becomes that person's when the other side has agreed as well. Raises
        ``NotAllowedError`` where there are no emoji to compare.
        """
        row = self._home()
        if row is None or not self.must_compare or not self.own_emoji():
            raise NotAllowedError("there are no emoji to compare")
        with self._db.atomic():
            rooms.set_standing(self._db, row.id, Standing.ASKING, epoch=row.epoch)
            self._membership.look_again(row.id)
            now = rooms.load_room(self._db, row.id)
            if now.standing is Standing.MEMBER:  # the other side was faster
                follow_home(self._db, now, me=self._keys.device, now_ms=self._peer.now_ms())
        self._peer._ring()

    def refuse(self) -> None:
        """Take note, on a new device that asked by a code, that the emoji differed.

        It never becomes that person's; a new database may try again. Raises ``NotAllowedError``
        where nothing is to be compared.
        """
        row = self._home()
        if row is None or not self.must_compare:
            raise NotAllowedError("there are no emoji to compare")
        with self._db.atomic():
            rooms.refuse_standing(self._db, row.id, DIFFERED)
        self._peer._ring()

    # Inside

    def _open_invite(self, row: RoomRow, seed: bytes) -> None:
        expires_ms = self._peer.now_ms() + round(LINK_FOR.total_seconds() * 1000)
        with self._db.atomic():
            wanted = OpenInvite(seed, Role.MEMBER, 1, expires_ms, True)
            self._membership.change(row.id, wanted)
        self._peer._ring()

    def _ask(self, room: RoomId, relay: str, standing: Standing, seed: bytes) -> None:
        with self._db.atomic():
            self._check_unused()
            row = self._add_home(room, relay, standing, seed)
            identity.set_home(self._db, row.id)
        self._peer._ring()

    def _own_requests(self, row: RoomRow) -> Iterator[tuple[RecordHash, Request]]:
        """Yield what this device has asked with, also where it was granted already."""
        for raw in members.records_of(self._db, row.id):
            record = decode_record(raw)
            change = change_of(record) if record.signer == self._keys.public else None
            if isinstance(change, Request):
                yield record.hash, change

    def _emoji(self, row: RoomRow, request: RecordHash) -> tuple[str, ...]:
        nonce = self._membership.group(row.id).challenges.get(request)
        if nonce is None:
            return ()
        return link_emoji(room=row.room_id, request=request, nonce=nonce)
