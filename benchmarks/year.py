"""A year of two people, one of whom has two devices: what is left of it, and where.

Peers and a relay's hub live through it in virtual time. Every day has four times at which people
look in; who is there writes, edits, deletes, reacts and reads. Each device is sometimes away for
weeks, and then writes offline. Databases are in memory; their size is that of their pages.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from time import process_time
from typing import Any

from syncchat.core.message import Message
from syncchat.ids import device_text
from syncchat.peer import Peer
from syncchat.room import Room
from syncchat.storage import snapshots
from syncchat.testing.ports import SeededRandom
from syncchat.trust.records import is_record
from syncchat.wire.envelope import EnvelopeKind, Header, decode_envelope
from tests.support.peers import LINK, RELAY, ROOM, Line, Net, make_peer
from tests.support.ports import FakeClock

from . import workload
from .history import counted_bytes, loose, make_due, relay_bytes

NAME = "year"
SUMMARY = (
    "two devices of one person and one of another write for a year of virtual time, with edits, "
    "deletions, reactions, reading and weeks offline: whether all converge, bytes at the relay "
    "beside what is alive, databases, snapshots and chains (frames and commits are real; sockets, "
    "and how long people wait, are not)"
)
DAYS = 365
TIMES_MS = tuple(hour * 3_600_000 for hour in (7, 12, 18, 22))
"""When people look in, from midnight on."""
DAY_MS = 24 * 3_600_000
SAID = (6, 14)
"""Messages at such a time, at least and at most; twice as many at weekends."""
AWAY = {
    "laptop": ((30, 45), (200, 222)),
    "phone": ((90, 95), (206, 210), (300, 330)),
    "ben": ((120, 150), (280, 283)),
}
"""Days of the year on which a device is not online; it writes all the same, a little."""
THERE = {"laptop": 0.5, "phone": 0.8, "ben": 0.8}
"""How likely a device is online at one of these times."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add how long it goes on."""
    parser.add_argument("--days", type=int, default=DAYS, metavar="N")


def run(smoke: bool, days: int = DAYS) -> dict[str, Any]:
    """Return the figures."""
    with loose(4 if smoke else snapshots.LOOSE_MIN):
        return _Year(3 if smoke else days).live()


class _Year:
    """Is the people, their devices and their relay."""

    def __init__(self, days: int) -> None:
        self._days = days
        self._clock, self._net = FakeClock(), Net()
        self._chance = SeededRandom("year")
        self._pushed = counted_bytes(self._net)
        self._anew = counted_bytes(self._net, only=_is_snapshot)
        self._done: Counter[str] = Counter()
        self._lines: dict[str, Line] = {}
        self._texts = iter(workload.varied_texts(days * len(TIMES_MS) * 2 * SAID[1]))
        names = list(THERE)
        self._peers = {
            name: make_peer(seed, clock=self._clock, name=name)
            for seed, name in enumerate(names, 2)
        }

    def live(self) -> dict[str, Any]:
        """Return what is to be said of the whole year."""
        started = process_time()
        self._begin()
        for day in range(self._days):
            self._day(day)
        for name in self._peers:
            self._enter(name)
        self._net.settle()
        seconds = process_time() - started
        return self._figures(seconds)

    def _begin(self) -> None:
        """Bring everybody into the room, and the phone to the laptop's person."""
        laptop, phone, ben = self._peers.values()
        for peer in (laptop, ben):
            peer.join(LINK)
            self._enter(peer.name)
        laptop.devices.set_home(RELAY)
        self._pass(2_000)
        phone.devices.ask(laptop.devices.link())
        self._enter("phone")
        self._pass(2_000, 2_000)
        (asking,) = laptop.devices.asking()
        laptop.devices.approve(asking.id)
        self._pass(2_000, 5_000, 5_000)
        assert [room.id for room in phone.rooms()] == [room.id for room in laptop.rooms()]
        self._base = relay_bytes(self._net)

    def _day(self, day: int) -> None:
        began = self._clock.wall_ms
        for at in TIMES_MS:
            self._leave()
            self._pass(began + at - self._clock.wall_ms)
            for name in self._peers:
                if not _is_away(name, day) and self._chance.chance(THERE[name]):
                    self._enter(name)
            said = SAID[0] + self._chance.below(SAID[1] - SAID[0] + 1)
            for _ in range(2 * said if day % 7 in (5, 6) else said):
                self._act(self._author(day))
                self._pass(2_000 + 1_000 * self._chance.below(13))
        self._leave()
        for peer in self._peers.values():
            peer._fade()
        self._pass(began + DAY_MS - self._clock.wall_ms)

    def _author(self, day: int) -> str:
        """Return who says something: mostly somebody who is online."""
        names = list(self._peers)
        if self._lines and self._chance.chance(0.95):
            names = list(self._lines)
        return names[self._chance.below(len(names))]

    def _act(self, name: str) -> None:
        room = _room(self._peers[name])
        chance = self._chance
        room.send(next(self._texts))
        self._done["messages"] += 1
        if name not in self._lines:
            self._done["offline messages"] += 1
        if chance.chance(0.08) and (mine := _mine(room)):
            room.edit(mine[chance.below(len(mine))].id, next(self._texts))
            self._done["edits"] += 1
        if chance.chance(0.05) and (mine := _mine(room)):
            room.delete(mine[chance.below(len(mine))].id)
            self._done["deletions"] += 1
        if chance.chance(0.2):
            shown = [m for m in room.messages(limit=20) if not m.deleted]
            if shown:
                room.react(shown[chance.below(len(shown))].id, "👍")
                self._done["reactions"] += 1
        if chance.chance(0.3):
            room.mark_read()
            self._done["readings"] += 1

    def _enter(self, name: str) -> None:
        if name not in self._lines:
            self._lines[name] = self._net.connect(self._peers[name])
            self._net.settle()

    def _leave(self) -> None:
        for line in self._lines.values():
            assert line.exchange.ended is None, line.exchange.ended
            self._net.cut(line)
        self._lines.clear()

    def _pass(self, *spans_ms: int) -> None:
        for ms in spans_ms:
            self._net.advance(ms, self._clock)

    def _figures(self, seconds: float) -> dict[str, Any]:
        up, anew, made = sum(self._pushed), sum(self._anew), len(self._anew)
        kept = relay_bytes(self._net) - self._base
        headers = list(_headers(self._net))
        late = make_peer(90, clock=self._clock)
        late.join(LINK)
        line = self._net.connect(late)
        self._net.settle()
        down = sum(map(len, line.link.raw))
        peers = self._peers
        assert len({_room(peer).digest() for peer in (*peers.values(), late)}) == 1
        assert [fault for peer in (*peers.values(), late) for fault in peer.check()] == []
        shown = sum(not message.deleted for message in _all(late))
        assert shown + self._done["deletions"] >= self._done["messages"]
        stored = _stored(peers["laptop"])
        unread = {name: _room(peer).unread() for name, peer in peers.items()}
        assert unread["laptop"] == unread["phone"], unread
        for peer in peers.values():
            make_due(peer)
        self._net.settle()
        live = relay_bytes(self._net) - self._base
        sizes = {name: _database_bytes(peer) for name, peer in peers.items()}
        among = sum(header.kind == EnvelopeKind.SNAPSHOT for header in headers)
        count = self._done["messages"]
        return {
            "days": self._days,
            **{f"{what} written": number for what, number in self._done.items()},
            "messages shown": shown,
            "seconds of CPU for all of it": round(seconds, 1),
            "ms of CPU per message, at all three and the relay": round(seconds / count * 1e3, 2),
            "relay: bytes": kept,
            "relay: bytes per message shown": round(kept / shown, 1),
            "relay / live bytes": round(kept / live, 3),
            "relay: envelopes": len(headers),
            "relay: snapshots among them": among,
            "bytes up per message": round(up / count, 1),
            "bytes up per message, in snapshots": round(anew / count, 1),
            "snapshots made": made,
            "newcomer: bytes down per message shown": round(down / shown, 1),
            **{
                f"{name}: database bytes per message": round(s / count) for name, s in sizes.items()
            },
            "laptop: envelopes stored": stored,
            **self._chains(headers),
        }

    def _chains(self, headers: Sequence[Header]) -> dict[str, int]:
        ends: dict[str, int] = {}
        for header in headers:
            device = device_text(header.device)
            ends[device] = max(ends.get(device, 0), header.seq)
        return {
            f"{name}: length of the chain": ends[peer.device] for name, peer in self._peers.items()
        }


def _is_away(name: str, day: int) -> bool:
    return any(first <= day < last for first, last in AWAY[name])


def _room(peer: Peer) -> Room:
    (room,) = peer.rooms()
    return room


def _mine(room: Room) -> list[Message]:
    return [m for m in room.messages(limit=50) if m.mine and not m.deleted]


def _stored(peer: Peer) -> int:
    return len(peer._db.rows("select 1 from envelope"))


def _is_snapshot(raw: bytes) -> bool:
    return not is_record(raw) and decode_envelope(raw)[1].kind == EnvelopeKind.SNAPSHOT


def _database_bytes(peer: Peer) -> int:
    pages, each = (peer._db.row(f"pragma page_{what}") for what in ("count", "size"))
    assert pages is not None and each is not None
    return int(pages[0]) * int(each[0])


def _headers(net: Net) -> Iterator[Header]:
    """Yield the headers of what the relay keeps of the room."""
    head = net.world.log.head(ROOM).seq
    kept = net.world.log.read(ROOM, 0, upto=head, envelopes_max=2**31, bytes_max=2**62)
    for _, raw in kept.envelopes:
        if not is_record(raw):
            yield decode_envelope(raw)[1]


def _all(peer: Peer) -> Iterator[Message]:
    room = _room(peer)
    page = room.messages(limit=1_000)
    while page:
        yield from page
        page = room.messages(before=page[0].id, limit=1_000)
