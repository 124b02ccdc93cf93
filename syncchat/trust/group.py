"""Rooms: the state of a room's log, and what it answers.

See ``membership`` for how records become this, and ``rules`` for who may what. Roles: the *owner*,
whom nobody can remove; *admins*, who add, remove and invite, and of whom only the senior or the
owner can remove another; *members*, who write; *readers*, who do not.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..ids import MemberId, MessageId, message_text
from .changes import Epoch, History, Invite, Pin, Request, Role
from .person import Person, member_text
from .records import Record, RecordHash


@dataclass(slots=True)
class Member:
    """Is one person in a room; ``since`` is the place of the record that let them in.

    ``epoch`` is the first room key that they may have, ``invite`` the key of the invite by which
    they came, empty where somebody added them.
    """

    person: Person
    role: Role
    since: int
    epoch: int = 0
    invite: bytes = b""

    @property
    def id(self) -> MemberId:
        """Return the person's id as text."""
        return member_text(self.person.id)


@dataclass(slots=True)
class OpenInvite:
    """Is an invite and how often it was used."""

    invite: Invite
    by: bytes
    used: int = 0
    is_revoked: bool = False
    is_asked: bool = False
    """A device has asked by it; where it is committed to one answer, that is the only one."""

    def refusal(self, at_ms: int) -> str:
        """Return why the invite lets nobody in at a time, empty when it does."""
        if self.is_revoked:
            return "the invite was revoked"
        if self.invite.uses and self.used >= self.invite.uses:
            return "the invite was used up"
        if self.invite.expires_ms and at_ms > self.invite.expires_ms:
            return "the invite has expired"
        return ""


@dataclass(frozen=True, slots=True)
class KnownEpoch:
    """Is a room key as the log describes it, with every box that was sealed of it.

    Nobody but who is meant can tell a good box from a bad one, so a later box never takes the
    place of an earlier one: all of a person's are tried.
    """

    epoch: Epoch
    by: bytes
    boxes: dict[bytes, tuple[bytes, ...]]
    invite_boxes: dict[bytes, bytes]

    def add_box(self, user: bytes, box: bytes) -> None:
        """Add a box for a person, beside those that are there."""
        there = self.boxes.get(user, ())
        if box not in there:
            self.boxes[user] = (*there, box)


@dataclass(slots=True)
class Group:
    """Is the state of a room's log."""

    room: bytes
    is_personal: bool = False
    history: History = History.SHARED
    members: dict[bytes, Member] = field(default_factory=dict)
    former: dict[bytes, Person] = field(default_factory=dict)
    left: dict[bytes, Role] = field(default_factory=dict)
    """Those of the former members who left by themselves, and in which role."""
    owners: dict[bytes, bytes] = field(default_factory=dict)
    """First 8 bytes of each device key that was ever let in, to the person it belongs to."""
    pins: dict[bytes, Pin] = field(default_factory=dict)
    """Where chains end, by device; devices without one go on."""
    epoch: int = 0
    epochs: dict[int, KnownEpoch] = field(default_factory=dict)
    earliest: int = 0
    """The first epoch whose key is to be had from the newest; newcomers get none before it."""
    lost: dict[tuple[int, bytes], KnownEpoch] = field(default_factory=dict)
    """Epochs that lost a fork of the log, by number and commitment; nothing is sealed with them."""
    gaps: set[int] = field(default_factory=set)
    """Epochs to which the next has no link though it should, because its maker lacked their key."""
    linked: set[bytes] = field(default_factory=set)
    """Commitments of epochs, lost or before a gap, whose keys a later epoch has handed on."""
    invites: dict[bytes, OpenInvite] = field(default_factory=dict)
    requests: dict[RecordHash, tuple[Request, Person]] = field(default_factory=dict)
    challenges: dict[RecordHash, bytes] = field(default_factory=dict)
    hidden: dict[bytes, bool] = field(default_factory=dict)
    is_rotation_due: bool = False
    heads: tuple[RecordHash, ...] = ()
    count: int = 0
    refused: list[tuple[RecordHash, str]] = field(default_factory=list)
    forks: int = 0

    # Questions

    @property
    def lost_for_good(self) -> frozenset[int]:
        """Return the numbers of epochs that lost a fork and are not handed on: who has no box of
        one in the log never gets its key."""
        is_shared = self.history is History.SHARED
        return frozenset(n for n, _ in self.lost if not is_shared or n < self.earliest)

    def person_of(self, key: bytes) -> Person | None:
        """Return the present member for whom a key may act now, None for nobody."""
        user = self.owners.get(key[:8])
        member = self.members.get(user) if user is not None else None
        if member is not None and member.person.speaks(key):
            return member.person
        for other in self.members.values():
            if other.person.root == key:
                return other.person
        return None

    def role_of(self, key: bytes) -> Role | None:
        """Return the role in which a key may act now, None for none."""
        person = self.person_of(key)
        return None if person is None else self.members[person.id].role

    def knows_all(self, record: Record) -> bool:
        """Tell whether a record stands on everything that counts so far."""
        return record.prevs == self.heads or set(self.heads) <= set(record.prevs)

    def invites_of(self, user: bytes) -> list[bytes]:
        """Return the keys of the open invites whose links a member's devices may hold, and by
        which one comes in without approval: those they made, and the one they came by."""
        member = self.members.get(user)
        if member is None:
            return []
        return [
            key
            for key, opened in self.invites.items()
            if not (opened.is_revoked or opened.invite.needs_approval)
            and (
                key == member.invite
                or self.owners.get(opened.by[:8]) == user
                or opened.by == member.person.root
            )
        ]

    def may_read(self, key: bytes) -> bool:
        """Tell whether a device may read the room's log at a relay."""
        return self.person_of(key) is not None

    def may_write(self, key: bytes) -> bool:
        """Tell whether a device may write messages now."""
        role = self.role_of(key)
        return role is not None and role is not Role.READER

    def accepts(self, device: bytes, seq: int) -> bool:
        """Tell whether an envelope at a place of a device's chain may count, now and for ever."""
        pin = self.pins.get(device)
        return device in self.owners and (pin is None or seq <= pin.seq)

    def is_found_by(self, invite: bytes, now_ms: int) -> bool:
        """Tell whether a device that knows no more than an invite's key may be led here by it."""
        opened = self.invites.get(invite)
        return (
            self.is_personal
            and opened is not None
            and not (opened.is_asked or opened.refusal(now_ms))
        )

    @property
    def admins(self) -> set[MemberId]:
        """Return whose word counts on what only admins may say in a room's journals: those who
        are admins now, and those who were when they left, but nobody who was removed."""
        roles = [(user, member.role) for user, member in self.members.items()]
        return {
            member_text(user) for user, role in (*roles, *self.left.items()) if role <= Role.ADMIN
        }

    @property
    def hidden_messages(self) -> set[MessageId]:
        """Return the messages that admins have hidden."""
        return {message_text(raw) for raw, is_hidden in self.hidden.items() if is_hidden}

    @property
    def owner(self) -> bytes:
        """Return the owner's person id, empty where everybody has left."""
        for user, member in self.members.items():
            if member.role is Role.OWNER:
                return user
        return b""


def copied(group: Group) -> Group:
    """Return a copy that can take records while ``group`` stays as it is."""
    return replace(
        group,
        members={
            user: Member(m.person, m.role, m.since, m.epoch, m.invite)  # as replace, but faster
            for user, m in group.members.items()
        },
        former=dict(group.former),
        left=dict(group.left),
        owners=dict(group.owners),
        pins=dict(group.pins),
        epochs={
            number: KnownEpoch(known.epoch, known.by, dict(known.boxes), dict(known.invite_boxes))
            for number, known in group.epochs.items()
        },
        lost=dict(group.lost),
        gaps=set(group.gaps),
        linked=set(group.linked),
        invites={key: replace(invite) for key, invite in group.invites.items()},
        requests=dict(group.requests),
        challenges=dict(group.challenges),
        hidden=dict(group.hidden),
        refused=list(group.refused),
    )
