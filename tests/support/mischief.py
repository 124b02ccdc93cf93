"""Things to push to a closed room: what honest people push, and what they never would.

Each is named by a number and two more that say of whom, and how wrong. They stand on the log as
the relay has it by now, so that even the worst of them is only one step from what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from syncchat.errors import DecodeError, SealBroken
from syncchat.trust.changes import Merge, Pin, Role
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.records import Record, RecordHash, is_record
from tests.contracts.chains import Writer, with_broken_signature

from .lawful import records_in
from .people import House, Human, pin

INVITE, APPROVAL, REVOKED = range(3)
"""Places of a room's invites among those that were opened."""


def make_room(owner: Human, *others: Human) -> House:
    """Return a room with an open invite, one with approval, a revoked one, and some members."""
    team = House(owner)
    team.invite()
    team.invite(needs_approval=True)
    team.revoke_invite(team.invite())
    for other in others:
        team.add(other)
    return team


class Mischief:
    """Makes what one of ``people`` pushes to a room, of which ``stored`` is there already."""

    def __init__(self, room: House, people: Sequence[Human], invites: Sequence[DeviceKeys]) -> None:
        self._room = room
        self._people = people
        self._invites = invites
        self._makers: list[Callable[[_Moment], list[bytes]]] = [
            _envelope,
            _envelope_of_another,
            _join,
            _request,
            _remove,
            _add,
            _leave,
            _rotate,
            _revoke_invite,
            _set_role,
            _bring_devices,
            _again,
            _broken,
            _on_old_heads,
            _on_unknown_heads,
            _for_another_room,
            _merge,
            _genesis,
            _junk,
        ]

    @property
    def kinds(self) -> int:
        """Return how many kinds of things there are."""
        return len(self._makers)

    def make(self, stored: Sequence[bytes], who: Human, what: int, a: int, b: int) -> list[bytes]:
        """Return what to push, nothing where it cannot even be made."""
        moment = _Moment(self._present(stored), stored, who, self._people, self._invites, a, b)
        try:
            return self._makers[what % self.kinds](moment)
        except (DecodeError, SealBroken, KeyError):
            return []

    def _present(self, stored: Sequence[bytes]) -> House:
        return self._room.with_log(records_in(stored))


class _Moment(msgspec.Struct, frozen=True):
    """Is what a maker may look at."""

    team: House
    stored: Sequence[bytes]
    who: Human
    people: Sequence[Human]
    invites: Sequence[DeviceKeys]
    a: int
    b: int

    @property
    def other(self) -> Human:
        return self.people[self.a % len(self.people)]

    @property
    def signer(self) -> Human:
        """Return who signs: the pusher, but for some whom another lent a hand."""
        return self.who if self.b < 200 else self.people[self.b % len(self.people)]

    @property
    def invite(self) -> DeviceKeys:
        return self.invites[self.b % len(self.invites)]

    def chain(self, person: Human) -> Writer:
        """Return a writer who goes on where the stored chain of a person ends."""
        writer = Writer(person.device, room=self.team.id)
        stored = set(self.stored)
        ahead = writer.fork()
        while ahead.write(b"%d" % (ahead.seq + 1)) in stored:
            writer.write(b"%d" % (writer.seq + 1))
        return writer

    def pins(self, person: Human) -> list[Pin]:
        """Return where a person's chain ends, or at times a place before or after it."""
        return [
            pin(
                person.device,
                max(0, self.chain(person).seq + (self.b % 8 == 7) - (self.b % 16 == 6)),
            )
        ]


def _envelope(at: _Moment) -> list[bytes]:
    made = list(at.chain(at.who).write_many(1 + at.a % 3))
    if at.b >= 240:
        made[-1] = with_broken_signature(made[-1])
    return made[at.b % 2 :] if at.b >= 224 else made


def _envelope_of_another(at: _Moment) -> list[bytes]:
    return list(at.chain(at.other).write_many(1))


def _join(at: _Moment) -> list[bytes]:
    return [at.team.join(at.signer, at.invite, is_kept=False).raw]


def _request(at: _Moment) -> list[bytes]:
    return [at.team.request(at.signer, at.invite, is_kept=False).raw]


def _remove(at: _Moment) -> list[bytes]:
    return [at.team.remove(at.other, pins=at.pins(at.other), by=at.signer, is_kept=False).raw]


def _add(at: _Moment) -> list[bytes]:
    role = Role(1 + at.b % 3)
    return [at.team.add(at.other, role=role, by=at.signer, is_kept=False).raw]


def _leave(at: _Moment) -> list[bytes]:
    return [at.team.leave(at.signer, pins=at.pins(at.signer), is_kept=False).raw]


def _rotate(at: _Moment) -> list[bytes]:
    return [at.team.rotate(by=at.signer, is_kept=False).raw]


def _revoke_invite(at: _Moment) -> list[bytes]:
    return [at.team.revoke_invite(at.invite, by=at.signer, is_kept=False).raw]


def _set_role(at: _Moment) -> list[bytes]:
    role = Role(at.b % 4)
    pins = at.pins(at.other) if at.b % 3 else []
    return [at.team.set_role(at.other, role, pins=pins, by=at.signer, is_kept=False).raw]


def _bring_devices(at: _Moment) -> list[bytes]:
    return [at.team.bring(at.other, by=at.signer, is_kept=False).raw]


def _again(at: _Moment) -> list[bytes]:
    return [at.stored[at.a % len(at.stored)]] if at.stored else []


def _broken(at: _Moment) -> list[bytes]:
    """Return something that is there, something new, or a way in, with another's signature."""
    (raw,) = [_rotate, _again if at.stored else _rotate, _join][at.b // 3 % 3](at)
    if not is_record(raw):
        return [with_broken_signature(raw)]
    return [raw[:-1] + bytes((raw[-1] ^ 1,))]


def _on_old_heads(at: _Moment) -> list[bytes]:
    old: Record = at.team.log[at.a % len(at.team.log)]
    return [at.team.rotate(by=at.signer, on=old, is_kept=False).raw]


def _on_unknown_heads(at: _Moment) -> list[bytes]:
    unknown = RecordHash(bytes((at.a,)) * len(at.team.genesis.hash))
    return [at.team.rotate(by=at.signer, prevs=(unknown,), is_kept=False).raw]


def _for_another_room(at: _Moment) -> list[bytes]:
    return [at.team.rotate(by=at.signer, log=bytes((at.a,)) * 16, is_kept=False).raw]


def _merge(at: _Moment) -> list[bytes]:
    """Return a branch from an old record, and what puts it together with the log."""
    old: Record = at.team.log[at.a % len(at.team.log)]
    branch = at.team.rotate(by=at.signer, on=old, is_kept=False)
    heads = tuple(sorted({*at.team.group.heads, branch.hash}))
    return [branch.raw, at.team.record(Merge(), at.signer, prevs=heads, is_kept=False).raw]


def _genesis(at: _Moment) -> list[bytes]:
    if at.a % 2:
        return [House(at.who).genesis.raw]
    return at.team.raws if at.b % 2 else [at.team.genesis.raw]


def _junk(at: _Moment) -> list[bytes]:
    return [bytes((0x92 if at.a % 2 else at.a,)) + bytes((at.b,)) * (at.a % 40)]
