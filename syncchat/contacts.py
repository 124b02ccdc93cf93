"""Contacts: whom a person has verified, and what has changed about them since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import NotFoundError
from .ids import MemberId
from .storage import history, rooms
from .storage.contacts import ContactRow, all_contacts, forget_contact, put_contact
from .trust.person import Person, member_text
from .trust.safety import SafetyNumber, Scan, read_scan, safety_number

if TYPE_CHECKING:
    from .peer import Peer


@dataclass(frozen=True, slots=True)
class Caution:
    """Is something to look at, until it is answered with ``verify`` or ``forget``.

    ``member`` is whom it is about; ``what`` says what changed, in words.
    """

    member: MemberId
    name: str
    what: str


class Contacts:
    """Is what a person knows of others; get it from ``Peer.contacts``."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._db = peer._db

    def safety_number(self, member: str) -> SafetyNumber:
        """Return what two people compare to know that nobody stands between them.

        Raises ``NotFoundError`` for who is in no room with this person.
        """
        return safety_number(self._peer._membership.root, self._found(member).root)

    def scan(self, member: str, code: str) -> Scan:
        """Return what the code on another person's screen says about them and me.

        Raises ``NotFoundError``, and ``DecodeError`` for what is no safety code.
        """
        mine, theirs = self._peer._membership.root, self._found(member).root
        return read_scan(code, mine=mine, theirs=theirs)

    def verify(self, member: str) -> None:
        """Take note that a person was verified, with the devices that they have now.

        It also answers a warning about them. Raises ``NotFoundError``.
        """
        person = self._found(member)
        devices = tuple(sorted(device.id for device in person.active))
        row = ContactRow(member_text(person.id), person.root, self._peer.now_ms(), devices)
        with self._db.atomic():
            put_contact(self._db, row)

    def forget(self, member: str) -> None:
        """Take note that a person is not verified any more; raises ``NotFoundError``."""
        with self._db.atomic():
            if not forget_contact(self._db, MemberId(member)):
                raise NotFoundError(f"{member[:40]!r} is not verified")

    def verified(self) -> list[MemberId]:
        """Return who was verified, in order of id."""
        return [row.member for row in all_contacts(self._db)]

    def warnings(self) -> list[Caution]:
        """Return what has changed about verified people, and who uses their names."""
        people = dict(self._people())
        known = {row.member: row for row in all_contacts(self._db)}
        found: list[Caution] = []
        for member, row in known.items():
            if member in people:
                person, name = people[member]
                new = {device.id for device in person.active} - set(row.devices)
                found += [
                    Caution(
                        member, name, f"has a new device, {device[:6]}: ask whether it is theirs"
                    )
                    for device in sorted(new)
                ]
        names = {people[member][1].casefold(): member for member in known if member in people}
        for member, (_, name) in people.items():
            verified = names.get(name.casefold())
            if verified is not None and member not in known and member != self._peer.id:
                found.append(Caution(member, name, "has the name of somebody you verified"))
        return found

    def _found(self, member: str) -> Person:
        fitting = {
            id_: person for id_, (person, _) in self._people() if member and id_.startswith(member)
        }
        if len(fitting) != 1:
            raise NotFoundError(f"no member {member[:40]!r} in your rooms")
        return next(iter(fitting.values()))

    def _people(self) -> Iterator[tuple[MemberId, tuple[Person, str]]]:
        """Yield everyone who is in a room with this person, once."""
        seen: set[MemberId] = set()
        for row in rooms.all_rooms(self._db):
            try:
                group = self._peer._membership.group(row.id)
            except NotFoundError:
                continue
            names = history.names_of(self._db, row.id)
            for member in group.members.values():
                if member.id not in seen:
                    seen.add(member.id)
                    yield member.id, (member.person, names.get(member.id) or member.id[:6])
