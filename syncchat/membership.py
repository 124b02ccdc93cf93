"""Who is in a room: what people ask for, made into records now or kept until the relay is there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from .errors import DecodeError, NotAllowedError, NotFoundError, TrustError, ValidationError
from .exchange.duties import Duties
from .exchange.groups import Groups
from .exchange.intents import AnyIntent, decode_intent, encode_intent, replaces
from .exchange.roster import apply_group, take_records
from .ids import DeviceId, MemberId, RoomId, room_text
from .ports import Clock, Random
from .storage import chains, identity, members, rooms, view
from .storage.database import Database
from .storage.footing import Footing, footing_in
from .storage.rooms import RoomRow, Standing
from .trust.boxes import seal_box
from .trust.changes import TYPES, Add, Genesis, History, Join, Kind, Request, Role, change_of
from .trust.epochs import make_epoch
from .trust.group import Group
from .trust.keys import DeviceKeys
from .trust.membership import room_of
from .trust.person import Person, certify, member_text, request_of, user_of
from .trust.phrase import root_seed
from .trust.records import NO_LOG, Record, RecordHash, decode_record, make_record
from .trust.rules import newcomer, refusal_of

T = TypeVar("T")

ENTROPY_BYTES = 16
ROLES = {role.name.lower(): role for role in Role}
HISTORIES = {history.name.lower(): history for history in History}


@dataclass(frozen=True, slots=True)
class Member:
    """Is a person in a room.

    ``role`` is "owner", "admin", "member" or "reader"; ``devices`` are those that may act.
    """

    id: MemberId
    name: str
    is_me: bool
    role: str
    devices: tuple[DeviceId, ...]


@dataclass(frozen=True, slots=True)
class OpenInvite:
    """Is an invite of a room; ``id`` names it for ``revoke_invite``. 0 uses or ms: no limit."""

    id: str
    role: str
    uses: int
    used: int
    expires_ms: int
    needs_approval: bool


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """Is somebody who asks to be let in; ``id`` names the request for ``add``."""

    id: str
    member: MemberId


@dataclass(frozen=True, slots=True)
class PendingChange:
    """Is a change to a room that waits for the relay, or that cannot be and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class VoidChange:
    """Is a change to a room that had no effect once two branches of its log were put together.

    ``what`` is a word for it ("add", "set role"), ``member`` who made it, empty for somebody who
    never was in, ``at_ms`` when, by their clock; ``reason`` says why it does not count.
    """

    what: str
    member: MemberId
    at_ms: int
    reason: str


class Membership:
    """Answers and changes who is in the rooms of one database."""

    def __init__(self, db: Database, keys: DeviceKeys, *, clock: Clock, random: Random) -> None:
        self._db = db
        self._keys = keys
        self._clock = clock
        self._random = random
        self.groups = Groups(db)
        self._duties = Duties(db, keys, clock=clock, random=random)

    # The person

    def be_somebody(self, *, entropy: bytes | None = None) -> None:
        """Make the person of a database that has none; inside a transaction."""
        if identity.load_identity(self._db) is not None:
            return
        made = entropy or self._random.bytes(ENTROPY_BYTES)
        root = DeviceKeys(root_seed(made))
        secret = self._random.bytes(32)
        record = certify(
            root,
            request_of(self._keys, user=user_of(root.public)),
            root=root.public,
            prevs=(),
            generation=0,
            user_secret=secret,
            at_ms=self._clock.now_ms(),
            random=self._random,
        )
        identity.create_identity(self._db, identity.Identity(root.public, made, None), [record])
        identity.add_user_secret(self._db, 0, secret)

    @property
    def root(self) -> bytes:
        """Return the person's public root key."""
        who = identity.load_identity(self._db)
        assert who is not None
        return who.root

    @property
    def me(self) -> MemberId:
        """Return the person's id as text."""
        return member_text(user_of(self.root))

    @property
    def person(self) -> Person:
        """Return the person as the own log says.

        Raises ``NotAllowedError`` while that is not here: the phrase has been typed, and no sync
        has brought the log.
        """
        if not identity.person_records(self._db):
            raise NotAllowedError("this device does not have your keys yet; sync first")
        return identity.own_person(self._db, self.root)

    # Rooms

    def create(
        self, title: str, relay: str, *, history: str = "shared", is_personal: bool = False
    ) -> RoomRow:
        """Make a room; inside a transaction."""
        person = self.person
        key = self._random.bytes(32)
        epoch = make_epoch(b"", 0, key, readers=[(person.id, person.user_key)], random=self._random)
        record = make_record(
            self._keys,
            log=NO_LOG,
            prevs=(),
            at_ms=self._clock.now_ms(),
            kind=Kind.GENESIS,
            content=Genesis(
                self._random.bytes(16),
                is_personal,
                chosen(HISTORIES, history, "history"),
                identity.own_records(self._db, person),
                epoch,
            ),
        )
        row = rooms.add_room(
            self._db,
            RoomId(room_of(record)),
            title=title,
            relay=relay,
            standing=Standing.MEMBER,
            is_personal=is_personal,
            now_ms=self._clock.now_ms(),
        )
        self._take(row, record)
        return rooms.load_room(self._db, row.id)

    def create_direct(self, other: Person, relay: str, *, title: str) -> RoomRow:
        """Make a room for this person and another one, as equals; inside a transaction."""
        row = self.create(title, relay)
        rooms.set_direct(self._db, row.id, member_text(other.id))
        key = rooms.room_key(self._db, row.id, 0)
        assert key is not None
        box = seal_box(other.user_key, key, self._random)
        add = Add(identity.own_records(self._db, other), Role.ADMIN, box, b"", None)
        self._take(row, self._duties.make(row, self.group(row.id), add))
        return rooms.load_room(self._db, row.id)

    def known(self, member: str) -> list[tuple[RoomRow, Person]]:
        """Return the rooms of which this person and another are members, and the other.

        ``member`` is an id or an unmistakable beginning of one; raises ``NotFoundError``.
        """
        found = []
        for row in rooms.all_rooms(self._db):
            group = self.groups.of(row.id) if row.standing is Standing.MEMBER else None
            members_ = {} if group is None or row.is_personal else group.members
            found += [
                (row, each.person)
                for user, each in members_.items()
                if member and member_text(user).startswith(member.upper())
            ]
        if len({person.id for _, person in found}) != 1:
            raise NotFoundError(f"no member {member[:40]!r} in the rooms that you are in")
        return found

    def learn_log(self, room: int) -> None:
        """Take over what a room's log says into what its view goes by; inside a transaction."""
        group = self.groups.of(room)
        if group is not None:
            self._follow(rooms.load_room(self._db, room), group)

    def group(self, room: int) -> Group:
        """Return who is in a room; raises ``NotFoundError`` while its log is not here."""
        group = self.groups.of(room)
        if group is None:
            raise NotFoundError("who is in the room is not known yet; it comes with the first sync")
        return group

    def group_or_none(self, room: int) -> Group | None:
        """Return who is in a room, None while its log is not here."""
        return self.groups.of(room)

    def size(self, room: int) -> int | None:
        """Return how many members a room has; None while its log is not here."""
        group = self.groups.of(room)
        return None if group is None else len(group.members)

    def is_from_join(self, room: int) -> bool:
        """Tell whether new members get only what is written after they came."""
        group = self.groups.of(room)
        return group is not None and group.history is History.FROM_JOIN

    def has_member(self, room: int, member: str) -> bool:
        """Tell whether an id is a member's; of a room whose log is not here, any may be."""
        group = self.groups.of(room)
        return group is None or any(member_text(user) == member for user in group.members)

    def change(self, room: int, intent: AnyIntent) -> None:
        """Make a change now, where nobody else can have a say yet, or keep it for the relay.

        Inside a transaction. Raises ``NotAllowedError`` where the room as it is known here would
        refuse it.
        """
        row = rooms.load_room(self._db, room)
        if row.standing not in (Standing.MEMBER, Standing.RETURNING):
            raise NotAllowedError(why_no_member(self._db, row))
        group = self.group(room)
        for kept in members.intents(self._db, room):
            if kept.refusal and replaces(intent, decode_intent(kept.raw)):
                members.drop_intent(self._db, kept.id)
        change = self._duties.change_for(row, group, encode_intent(intent))
        if change is None:
            if members.intents(self._db, room, is_open=True):  # they may undo what is done now
                raw = encode_intent(intent)
                members.add_intent(self._db, room, raw, now_ms=self._clock.now_ms())
            return
        record = self._duties.make(row, group, change)
        reason = refusal_of(group, record)
        if reason:
            raise NotAllowedError(reason)
        if row.relay and members.is_uploaded(self._db, room):
            members.add_intent(self._db, room, encode_intent(intent), now_ms=self._clock.now_ms())
        else:
            self._take(row, record)

    def bring_devices(self) -> None:
        """Have rooms without a relay hear of the own devices now; inside a transaction.

        The others hear of them when this peer is online.
        """
        for row in rooms.all_rooms(self._db):
            if row.relay and members.is_uploaded(self._db, row.id):
                continue
            group = self.groups.of(row.id)
            duty = None if group is None else self._duties.next(row, group, may_rotate=True)
            if duty is not None:
                self._take(row, duty.records[-1])

    def may_write(self, room: int, footing: Footing | None = None) -> str:
        """Return why nothing may be written in a room, empty where it may.

        ``footing`` is what a write there stands on, where that is known already.
        """
        found = footing or footing_in(self._db, room, me=self._keys.device)
        if found.standing.is_coming or found.standing is Standing.RECOVERING:
            return ""  # what is written waits until this peer is in
        if found.standing not in (Standing.MEMBER, Standing.RETURNING):
            return why_no_member(self._db, rooms.load_room(self._db, room))
        group = self.groups.at(room, found.last_record) or self.group(room)
        user = user_of(found.root)
        is_reader = user in group.members and group.members[user].role is Role.READER
        return "readers cannot write here" if is_reader else ""

    def members(self, room: int, names: dict[MemberId, str]) -> list[Member]:
        """Return a room's members in order of name."""
        group = self.groups.of(room)
        me = user_of(self.root)
        found = [] if group is None else list(group.members.values())
        return sorted(
            (
                Member(
                    member.id,
                    names.get(member.id) or member.id[:6],
                    member.person.id == me,
                    member.role.name.lower(),
                    tuple(device.id for device in member.person.active),
                )
                for member in found
            ),
            key=lambda m: (m.name, m.id),
        )

    def invites(self, room: int) -> list[OpenInvite]:
        """Return the invites by which people can still come in."""
        now_ms = self._clock.now_ms()
        return [
            OpenInvite(
                public.hex()[:16],
                opened.invite.role.name.lower(),
                opened.invite.uses,
                opened.used,
                opened.invite.expires_ms,
                opened.invite.needs_approval,
            )
            for public, opened in self.group(room).invites.items()
            if not opened.refusal(now_ms)
        ]

    def requests(self, room: int) -> list[JoinRequest]:
        """Return who asks to be let in."""
        return [
            JoinRequest(hash_.hex()[:16], member_text(person.id))
            for hash_, (_, person) in self.group(room).requests.items()
        ]

    def pending(self, room: int) -> list[PendingChange]:
        """Return the changes that wait for the relay, or cannot be."""
        return [
            PendingChange(type(decode_intent(intent.raw)).__name__, intent.refusal)
            for intent in members.intents(self._db, room)
        ]

    def forks(self, room: int) -> int:
        """Return how often a room's log was put together from branches, or is still to be."""
        group = self.groups.of(room)
        return 0 if group is None else group.forks + (len(group.heads) > 1)

    def void_changes(self, room: int) -> list[VoidChange]:
        """Return the changes that a fork of a room's log left without effect, newest first."""
        group = self.groups.of(room)
        if group is None or not group.refused:
            return []
        reasons = dict(group.refused)
        records = [decode_record(raw) for raw in members.records_of(self._db, room)]
        found = [
            VoidChange(
                Kind(record.kind).name.lower().replace("_", " "),
                _maker(group, record),
                record.at_ms,
                reasons[record.hash],
            )
            for record in records
            if record.hash in reasons and record.kind in TYPES
        ]
        return sorted(found, key=lambda each: each.at_ms, reverse=True)

    def user_called(self, room: int, member: str) -> bytes:
        """Return the person id of a member by id, or an unmistakable beginning of it."""
        group = self.group(room)
        fitting = [
            user for user in group.members if member and member_text(user).startswith(member)
        ]
        if len(fitting) != 1:
            raise NotFoundError(f"no member {member[:40]!r} in this room")
        return fitting[0]

    def invite_called(self, room: int, invite: str) -> bytes:
        """Return the public key of an invite by its id."""
        found = [key for key in self.group(room).invites if key.hex().startswith(invite.lower())]
        if not invite or len(found) != 1:
            raise NotFoundError(f"no invite {invite[:40]!r} in this room")
        return found[0]

    def request_called(self, room: int, request: str) -> RecordHash:
        """Return the hash of a request by its id, or by the id of who asks."""
        found = [
            hash_
            for hash_, (_, person) in self.group(room).requests.items()
            if hash_.hex().startswith(request.lower())
            or member_text(person.id).startswith(request.upper())
        ]
        if not request or len(found) != 1:
            raise NotFoundError(f"no request {request[:40]!r} in this room")
        return found[0]

    def look_again(self, room: int) -> None:
        """Let a room's log take effect on what has changed here; inside a transaction."""
        row = rooms.load_room(self._db, room)
        group = self.group(room)
        apply_group(self._db, row, group, keys=self._keys)
        self._follow(rooms.load_room(self._db, room), group)

    def _take(self, row: RoomRow, record: Record) -> None:
        group = take_records(self._db, self.groups, row, [(record, None)], keys=self._keys)
        if group is not None:
            self._follow(row, group)

    def _follow(self, row: RoomRow, group: Group) -> None:
        """Let a room's view follow its log: read on, or end, chains, and what admins say."""
        if not chains.all_chains(self._db, row.id):
            batch = view.ViewBatch(self._db, row.id, me=self._keys.device)
            batch.follow(admins=group.admins, hidden=group.hidden_messages)
            batch.flush()
            return
        # Loaded only here: who makes a room and writes in it needs no CRDT library.
        from .exchange.batch import follow_group

        follow_group(
            self._db,
            rooms.load_room(self._db, row.id),
            group,
            me=self._keys.device,
            now_ms=self._clock.now_ms(),
        )


def _maker(group: Group, record: Record) -> MemberId:
    """Return who made a record, empty where nobody knows whose key that is."""
    people = [*group.former.values(), *(member.person for member in group.members.values())]
    users = {person.root: person.id for person in people} | {
        device.key: person.id for person in people for device in person.devices.values()
    }
    with suppress(DecodeError, TrustError):
        change = change_of(record)
        if isinstance(change, Join | Request):
            return member_text(newcomer(record, change).id)
    user = users.get(record.signer)
    return MemberId("") if user is None else member_text(user)


def why_no_member(db: Database, row: RoomRow) -> str:
    """Return why this peer is no member of a room, in words that say what to do."""
    match row.standing:
        case Standing.REMOVED:
            return "you are no longer a member of this room, or its relay no longer knows you"
        case Standing.RETURNING:
            return "the relay does not know you as a member of this room; asking again by invite"
        case Standing.LEFT:
            return "you have left this room; ask for a new invite to come back"
        case Standing.REFUSED:
            return f"you did not get in: {rooms.refusal(db, row.id)}"
        case Standing.OLD:
            return (
                f"the room {room_text(row.room_id)[:8]} was made by an older syncchat and can only "
                "be read; make a new one"
            )
        case Standing.ASKING:
            return "you are not a member of this room yet; it waits for approval by an admin"
        case Standing.COMPARING:
            return "this device is not linked yet; compare the emoji with the other one first"
        case Standing.RECOVERING:
            return "this device is not in this room yet; it comes with the next sync"
        case _:
            return "you are not a member of this room yet; it comes with the first sync"


def chosen(known: Mapping[str, T], name: str, what: str) -> T:
    """Return the choice with a name; raises ``ValidationError`` that lists them."""
    try:
        return known[name]
    except KeyError:
        raise ValidationError(f"{what} is one of {', '.join(known)}, not {name!r}") from None
