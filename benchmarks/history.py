"""What becomes of a room's history: its size at the relay, with snapshots and without.

The same conversation is held twice in virtual time, between peers and a relay's hub with its log in
memory: once as it is, once with peers that make no snapshots. In it messages are written one at a
time, a tenth of them is edited, a tenth deleted for everyone, one in five gets a reaction, and
members mark as read every tenth. In the end somebody new joins. *Live* is what the room would weigh
if every volume had just been snapshotted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

from syncchat_relay.log import Append, Outcome

from syncchat.core.message import Message
from syncchat.peer import Peer
from syncchat.storage import chains, snapshots
from syncchat.testing.ports import SeededRandom
from tests.support.peers import LINK, ROOM, Net, make_peer
from tests.support.ports import FakeClock

from . import workload

NAME = "history"
SUMMARY = (
    "bytes of a room's history at the relay and for a newcomer, with edits, deletions, reactions "
    "and read markers, with snapshots and without, and what writing it anew costs; bytes of "
    "envelopes and frames are counted, not pages, and time is not measured"
)
PLACE_BYTES = 8
"""What the relay keeps of an envelope that is gone: its fingerprint."""

NEVER = 10**9


def run(smoke: bool) -> dict[str, Any]:
    """Return the figures."""
    members, messages = (2, 60) if smoke else (4, 5_000)
    with loose(4 if smoke else snapshots.LOOSE_MIN):
        small = _hold(members, messages)
    with loose(NEVER):
        large = _hold(members, messages)
    assert small["digest"] == large["digest"], "another room came of it"
    shown = small["shown"]
    return {
        "members": members,
        "messages written": messages,
        "messages shown": shown,
        "relay: bytes per message shown": round(small["relay"] / shown, 1),
        "relay without snapshots: bytes per message shown": round(large["relay"] / shown, 1),
        "relay / live bytes": round(small["relay"] / small["live"], 3),
        "with / without snapshots": round(small["relay"] / large["relay"], 4),
        "newcomer: bytes down per message shown": round(small["newcomer"] / shown, 1),
        "newcomer without snapshots": round(large["newcomer"] / shown, 1),
        "bytes up per message": round(small["up"] / messages, 1),
        "bytes up without snapshots": round(large["up"] / messages, 1),
        "snapshots: bytes up / the rest": round(small["up"] / large["up"] - 1, 3),
        "bytes down per member and message": round(small["down"] / members / messages, 1),
        "bytes down without snapshots": round(large["down"] / members / messages, 1),
        "envelopes stored by a member": small["stored"],
        "envelopes without snapshots": large["stored"],
    }


@contextmanager
def loose(least: int) -> Iterator[None]:
    """Have so many loose envelopes be worth a snapshot."""
    closed = NEVER if least == NEVER else min(least, snapshots.LOOSE_CLOSED_MIN)
    erased = mock.patch.object(snapshots, "note_erasure") if least == NEVER else mock.MagicMock()
    with (
        mock.patch.object(snapshots, "LOOSE_MIN", least),
        mock.patch.object(snapshots, "LOOSE_CLOSED_MIN", closed),
        erased,
    ):
        yield


def _hold(members: int, messages: int) -> dict[str, Any]:
    clock, net, chance = FakeClock(), Net(), SeededRandom("history")
    pushed = counted_bytes(net)
    peers = [make_peer(seed, clock=clock) for seed in range(2, members + 2)]
    for peer in peers:
        peer.join(LINK)
        net.connect(peer)
    net.settle()
    base = relay_bytes(net)
    texts = workload.texts(messages)
    for number, text in enumerate(texts):
        author = peers[chance.below(members)]
        room = author.rooms()[0]
        room.send(text)
        if chance.chance(0.1):
            mine = [m for m in room.messages(limit=50) if m.mine and not m.deleted]
            room.edit(mine[chance.below(len(mine))].id, f"{text} (changed)")
        if chance.chance(0.1):
            mine = [m for m in room.messages(limit=50) if m.mine and not m.deleted]
            room.delete(mine[chance.below(len(mine))].id)
        if chance.chance(0.2):
            shown = [m for m in room.messages(limit=20) if not m.deleted]
            if shown:
                room.react(shown[-1].id, "👍")
        if number % 10 == 0:
            room.mark_read()
        net.advance(1_000, clock)
    net.settle()
    found: dict[str, Any] = {
        "relay": relay_bytes(net) - base,
        "up": sum(pushed),
        "down": sum(len(raw) for line in net.lines for raw in line.link.raw),
        "stored": len(peers[0]._db.rows("select 1 from envelope")),
    }
    late = make_peer(90, clock=clock)
    late.join(LINK)
    line = net.connect(late)
    net.settle()
    found["newcomer"] = sum(map(len, line.link.raw))
    assert len({_digest(peer) for peer in (*peers, late)}) == 1, "the peers differ"
    assert all(peer.check() == [] for peer in peers)
    found["digest"] = _digest(late)
    found["shown"] = sum(not m.deleted for m in _all(late))
    for peer in peers:
        make_due(peer)
    net.settle()
    found["live"] = relay_bytes(net) - base
    return found


def make_due(peer: Peer) -> None:
    """Have a peer snapshot every volume of its own of which anything is loose."""
    (room,) = peer.rooms()
    own = chains.find_chain(peer._db, room._row, peer.device)
    assert own is not None
    with peer._db.atomic():
        for volume in chains.volume_numbers(peer._db, own.id):
            snapshots.note_erasure(peer._db, own.id, volume)
    room.send("so that it is looked for what is due")


def counted_bytes(net: Net, *, only: Callable[[bytes], bool] = bool) -> list[int]:
    """Return a list to which the bytes of every envelope are added that comes to the log."""
    sizes: list[int] = []
    append = net.world.log.append

    def counted(batch: Sequence[Append], *, now_ms: int = 0) -> list[list[Outcome]]:
        sizes.extend(len(raw) for item in batch for raw in item.envelopes if only(raw))
        return append(batch, now_ms=now_ms)

    net.world.log.append = counted  # type: ignore[method-assign]
    return sizes


def relay_bytes(net: Net) -> int:
    """Return what the relay keeps of the room's envelopes, and of those that are gone."""
    head = net.world.log.head(ROOM).seq
    kept = net.world.log.read(ROOM, 0, upto=head, envelopes_max=2**31, bytes_max=2**62)
    gone = head - len(kept.envelopes)
    return sum(len(raw) for _, raw in kept.envelopes) + gone * PLACE_BYTES


def _all(peer: Peer) -> Iterator[Message]:
    """Yield every message that a peer shows."""
    (room,) = peer.rooms()
    page = room.messages(limit=1_000)
    while page:
        yield from page
        page = room.messages(before=page[0].id, limit=1_000)


def _digest(peer: Peer) -> str:
    (room,) = peer.rooms()
    return room.digest()
