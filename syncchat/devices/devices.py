"""The person behind a database: their devices, their recovery phrase, and what syncs between them.

A person who has a *home*, a relay with a personal room, can have several devices and can start
again from the recovery phrase: the personal room's log holds the certificates of the devices, and
its journal the list of rooms.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..core.values import NAME_CHARS_MAX, Root, is_label
from ..errors import NotAllowedError, NotFoundError, ValidationError
from ..exchange.homing import DEVICE_FIELD, tell_home
from ..exchange.roster import root_keys
from ..ids import DeviceId, RoomId, device_bytes
from ..storage import identity
from ..storage.fields import fields_of
from ..storage.rooms import Standing
from ..transport.base import host_of
from ..trust.keys import DeviceKeys
from ..trust.person import personal_room, revoke
from ..trust.phrase import entropy_of, phrase_of, root_seed
from .linking import DeviceLinking


@dataclass(frozen=True, slots=True)
class Device:
    """Is one of the person's devices; ``certified_ms`` is when it became one."""

    id: DeviceId
    name: str
    is_this: bool
    certified_ms: int


class Devices(DeviceLinking):
    """Is what a person can do about their devices; get it from ``Peer.devices``."""

    # Home

    def set_home(self, relay: str) -> None:
        """Make the personal room at a relay; again is harmless.

        Raises ``ValidationError`` for a bad address, or another relay than the one that has it.
        """
        host_of(relay)
        relay = relay.rstrip("/")
        with self._db.atomic():
            row = self._home()
            if row is not None and row.relay not in ("", relay):
                raise ValidationError(f"your home is at {row.relay} already, and stays there")
            if row is None or not row.relay:
                self._peer._personal.make(relay)
                self.tell_home()
        self._peer._ring()

    def tell_home(self) -> None:
        """Note in the personal room's journal what rooms are here; inside a transaction."""
        tell_home(self._db, me=self._peer.device, now_ms=self._peer.now_ms())

    # Devices

    def all(self) -> list[Device]:
        """Return the person's devices that may act, this one included, in order of age.

        None are known while a database that began with the phrase has not synced.
        """
        if not identity.person_records(self._db):
            return []
        row = self._home()
        names = {} if row is None else fields_of(self._db, row.id)
        return [
            Device(
                device.id,
                self._name(names, device.id),
                device.id == self._keys.device,
                device.at_ms,
            )
            for device in self._membership.person.active
        ]

    def rename(self, device: str, name: str) -> None:
        """Give a device a name that only the own devices see.

        Raises ``NotFoundError``, ``NotAllowedError`` without a home, ``ValidationError``.
        """
        if not is_label(name.strip(), NAME_CHARS_MAX):
            raise ValidationError(f"a name has 1 to {NAME_CHARS_MAX} printable characters")
        row = self._need_home()
        found = self._own(device)
        with self._db.atomic():
            self._peer._put_field(row.id, Root.ROOM, DEVICE_FIELD + found.id, name.strip())
        self._peer._ring()

    def revoke(self, device: str) -> None:
        """Revoke a device of the person's: it reads and writes nothing new in any room.

        Rooms hear of it, and get new keys, when this peer is online. Raises ``NotFoundError``,
        ``NotAllowedError``, ``ValidationError``.
        """
        found = self._own(device)
        if found.id == self._keys.device:
            raise ValidationError("a device cannot revoke itself; use another, or the phrase")
        person = self._membership.person
        root = root_keys(self._db)
        old = identity.user_secret(self._db, person.generation)
        if old is None and root is None:
            raise NotAllowedError("this device does not have your keys yet; sync first")
        new = self._peer._random.bytes(32)
        record = revoke(
            root or self._keys,
            person,
            [device_bytes(found.id)],
            old_secret=old,
            new_secret=new,
            at_ms=self._peer.now_ms(),
            random=self._peer._random,
        )
        with self._db.atomic():
            identity.add_person_records(self._db, [record])
            identity.add_user_secret(self._db, person.generation + 1, new)
            self._membership.bring_devices()
        self._peer._ring()

    # The recovery phrase

    def phrase(self) -> str:
        """Return the twelve words; raises ``NotAllowedError`` once they were confirmed."""
        who = identity.load_identity(self._db)
        if who is None or who.entropy is None:
            raise NotAllowedError("the recovery phrase is not here: only you have it")
        return phrase_of(who.entropy)

    def confirm(self, phrase: str) -> None:
        """Take note that the phrase is written down, and forget it.

        Raises ``PhraseError`` for what is no phrase, ``ValidationError`` for another one.
        """
        entropy = entropy_of(phrase)
        if DeviceKeys(root_seed(entropy)).public != self._membership.root:
            raise ValidationError("this is not your phrase; look at it again")
        with self._db.atomic():
            identity.forget_entropy(self._db)

    @property
    def has_phrase(self) -> bool:
        """Tell whether the phrase still waits to be written down and confirmed."""
        who = identity.load_identity(self._db)
        return who is not None and who.entropy is not None

    # Becoming a device of somebody

    def recover(self, phrase: str, relay: str) -> None:
        """Become a device of the person who has the phrase, whose home is at a relay.

        Only in a database that has no rooms. Everything that relays still hold comes with the next
        sync. Raises the ``PhraseError`` family and ``ValidationError``.
        """
        entropy = entropy_of(phrase)
        root = DeviceKeys(root_seed(entropy)).public
        host_of(relay)
        with self._db.atomic():
            self._check_unused()
            room = RoomId(personal_room(root))
            row = self._add_home(room, relay.rstrip("/"), Standing.RECOVERING, None)
            identity.replace_identity(self._db, identity.Identity(root, entropy, row.id))
        self._peer._ring()

    # Inside

    def _own(self, device: str) -> Device:
        found = [each for each in self.all() if device and each.id.startswith(device)]
        if len(found) != 1:
            raise NotFoundError(f"no device {device[:20]!r} of yours")
        return found[0]

    def _name(self, names: dict[str, object], device: DeviceId) -> str:
        found = names.get(DEVICE_FIELD + device)
        return found if isinstance(found, str) and is_label(found, NAME_CHARS_MAX) else device[:6]
