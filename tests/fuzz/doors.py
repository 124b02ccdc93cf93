"""A conversation with a hub whose rooms are closed: who is let in, by token and by record.

The first byte of an input says in what mode the relay is, and whether the room is there yet. Then
come records, of a connection (low two bits) and an act (the rest): connect, send a frame, prove
who one is, leave, let time pass, open the room, push what ``mischief`` makes (three bytes each),
or push a record of any kind and content, truly signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from syncchat_relay.config import Admit, Config, Creators
from syncchat_relay.connection import Backlog
from syncchat_relay.effects import Grant
from syncchat_relay.log import Append

from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import fold_group
from syncchat.trust.records import _SIGN_DOMAIN
from syncchat.wire.codes import ErrorCode
from syncchat.wire.frames import Ack, Deliver, Error, Hello, Open, Opened, RoomCursor
from syncchat.wire.limits import FRAME_BYTES_MAX
from tests.contracts.chains import logged
from tests.support.lawful import assert_lawful, readable_to, records_in
from tests.support.mischief import APPROVAL, INVITE, REVOKED, Mischief, make_room
from tests.support.people import Human
from tests.unit.relay.world import Link, World, answer, proof_of

ACTS_MAX = 60
MADE_MAX = 60
"""Things that one input may have made: each folds the whole log."""

PEOPLE = [Human(seed) for seed in range(41, 46)]
TEAM = make_room(PEOPLE[0], PEOPLE[1])
INVITES = [TEAM.opened[number] for number in (INVITE, APPROVAL, REVOKED)]
CONFIGS = [
    Config(admission=Admit.ROOMS),
    Config(admission=Admit.ROOMS, create_rooms=Creators.OPERATORS),
    Config(admission=Admit.TOKEN),
]
TOKENS = ("good, may create", "good", "bad", "good", "")
_GOODBYES = ("bye", "silent for too long", "lost")
CONNECT, FRAME, PROVE, LEAVE, WAIT, OPEN, MAKE, RECORD = range(8)
_SIZED = (FRAME, MAKE, RECORD)


class _House:
    """Is a relay with one closed room, and four people at its door."""

    def __init__(self, mode: int) -> None:
        self.world = World(CONFIGS[mode % len(CONFIGS)])
        self.mischief = Mischief(TEAM, PEOPLE, INVITES)
        self.links: list[Link | None] = [None] * 4
        self.keys: dict[int, list[bytes]] = {}
        """What each connection has proved, its device's key first."""
        self.judged: dict[int, int] = {}
        self.made = 0
        if mode & 4:
            owner = PEOPLE[0].device.public
            self.world.log.append(
                [Append(TEAM.id, tuple(TEAM.raws), owner, True)], now_ms=self.world.wall_ms
            )

    @property
    def stored(self) -> list[bytes]:
        """Return the room's log."""
        return logged(self.world.log, TEAM.id)

    def act(self, place: int, act: int, raw: bytes) -> None:
        """Let something happen on one of four connections, and all that comes of it."""
        link, world, who = self.links[place], self.world, PEOPLE[place]
        match act:
            case 0 if link is None or link.closed:
                link = self.links[place] = world.connect()
                self.keys[link.conn] = [who.device.public]
            case 1 if link is not None:
                world.send_raw(link, raw)
            case 2 if link is not None and not link.closed:
                token = TOKENS[(world.now_ms // 500 + place) % len(TOKENS)]
                hello = link.of(Hello)[0]
                world.send(link, answer(hello, who.device, token=token))
            case 3 if link is not None:
                world.lose(link)
            case 4:
                world.tick(500)
            case 5 if link is not None and not link.closed:
                self._open(link, place)
            case 6 if link is not None:
                for at in range(0, len(raw) - 2, 3):
                    self._make(link, who, *raw[at : at + 3])
            case 7 if link is not None:
                self._record(link, who.device, raw)
        self._settle()

    def _open(self, link: Link, place: int) -> None:
        """Open the room; at the last place with the proof of an invite."""
        invite = INVITES[len(link.frames) % 3] if place == 3 else None
        proof = proof_of(link, invite, TEAM.id) if invite is not None else None
        if invite is not None:
            self.keys[link.conn].append(invite.public)
        asked = RoomCursor(TEAM.id, 0, EMPTY_FINGERPRINT, 0, proof)
        self.world.send(link, Open(self.world.log.incarnation, [asked]))

    def _make(self, link: Link, who: Human, what: int, a: int, b: int) -> None:
        if self.made < MADE_MAX:
            self.made += 1
            self._push(link, self.mischief.make(self.stored, who, what, a, b))

    def _record(self, link: Link, keys: DeviceKeys, raw: bytes) -> None:
        """Push a record of a kind with any content; on the heads that there are."""
        records = records_in(self.stored)
        if not raw or not records or self.made >= MADE_MAX:
            return
        self.made += 1
        heads = fold_group(records).heads
        text = msgspec.msgpack.encode(
            [1, TEAM.id, list(heads), keys.public, TEAM.at_ms, raw[0] % 20, raw[1:]]
        )
        signature = keys.sign(_SIGN_DOMAIN + text)
        self._push(link, [msgspec.msgpack.encode([text, signature])])

    def _push(self, link: Link, items: list[bytes]) -> None:
        opened = link.of(Opened)
        if items and opened and opened[-1].aliases:
            self.world.push(link, opened[-1].aliases[0], len(link.frames), items)
            self._settle()

    def _settle(self) -> None:
        """Do all there is to do, and judge what came of it."""
        world = self.world
        while world.vouches or world.appends or world.work:
            while world.vouches:
                token = world.vouches[0].token
                grant = Grant("ann", 0, may_create_rooms="create" in token)
                world.vouch(grant if "good" in token else None, left_ms=60_000)
            world.settle()
        for link in world.links.values():
            self._judge(link)

    def _judge(self, link: Link) -> None:
        fresh = link.frames[self.judged.get(link.conn, 0) :]
        self.judged[link.conn] = len(link.frames)
        room = self.world.hub._rooms.get(TEAM.id)
        alias = None if room is None else room.alias
        shown = [each for each in fresh if isinstance(each, Deliver) and each.alias == alias]
        if shown:
            end = shown[-1].after + len(shown[-1].envelopes)
            may = readable_to(self.stored, self.keys[link.conn], now_ms=self.world.wall_ms)
            assert end <= may, "a room is shown to somebody who may not read it"
        if link.closed and link.closed not in _GOODBYES:
            last = link.frames[-1]
            assert isinstance(last, Error), "a connection ends and nobody says why"
            assert ErrorCode(last.code) and last.text


def fuzz_doors(data: bytes) -> bool:
    """A hub whose rooms are closed, to which members and strangers say anything."""
    house = _House(data[0] if data else 0)
    for number, (kind, raw) in enumerate(_acts_in(data[1:])):
        if number >= ACTS_MAX:
            break
        house.act(kind & 3, (kind >> 2) % 8, raw)
    world, hub = house.world, house.world.hub
    for name in world.log._rooms:  # type: ignore[attr-defined]
        assert_lawful(name, logged(world.log, name))
    assert not hub._pending, "the hub waits for an answer that it has"
    assert hub._backlog == Backlog()
    assert all(len(raw) <= FRAME_BYTES_MAX for link in world.links.values() for raw in link.raw)
    for link in world.links.values():
        world.lose(link)
    assert not hub._connections and not hub._rooms
    return any(link.of(Ack) for link in world.links.values())


def _acts_in(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, at = data[at], at + 1
        raw = b""
        if (kind >> 2) % 8 in _SIZED:
            size = int.from_bytes(data[at : at + 2])
            raw, at = data[at + 2 : at + 2 + size], at + 2 + size
        yield kind, raw


DOORS: dict[str, Callable[[bytes], bool]] = {"doors": fuzz_doors}
"""Targets by name; each tells whether anything that was pushed was answered."""
