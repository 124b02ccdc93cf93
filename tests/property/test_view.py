"""Laws of the view: kept step by step, it is what a fold of everything from the start gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncchat.core import journal, reader
from syncchat.core.message import Message
from syncchat.errors import NotAllowedError, NotFoundError
from syncchat.peer import Peer
from syncchat.room import Room
from tests.contracts.chains import logged
from tests.support.histories import EMOJI, TEXTS, acts, played, seen
from tests.support.peers import LINK, Inbox, Line, Net, make_peer
from tests.support.ports import FakeClock

MINUTE = 60_000
PEERS = 3


class Step(NamedTuple):
    """Is one thing that happens to one peer; the numbers are taken modulo what there is."""

    peer: int
    what: str
    target: int
    text: str


KINDS = (
    *("send", "send", "send", "reply", "edit", "delete", "react", "unreact"),
    *("read", "read all", "title", "rename", "connect", "cut", "settle", "settle", "clock"),
    *("beside", "mention", "change mentions", "read thread", "unread", "private", "public"),
)
STEPS = st.lists(
    st.builds(Step, st.integers(0, PEERS - 1), st.sampled_from(KINDS), st.integers(0, 20), TEXTS),
    max_size=40,
)


@contextmanager
def small_volumes(entries: int) -> Iterator[None]:
    """Have volumes close after a few entries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "VOLUME_ENTRIES_MAX", entries)
        patch.setattr(reader, "VOLUME_ENTRIES_MAX", entries)
        yield


class Company:
    """Is some peers in one room, with a relay between them."""

    def __init__(self) -> None:
        self.net = Net()
        self.clocks = [FakeClock() for _ in range(PEERS)]
        self.peers = [
            make_peer(n + 1, clock=clock, name=f"Peer {n}") for n, clock in enumerate(self.clocks)
        ]
        self.rooms = [peer.join(LINK) for peer in self.peers]
        self.lines: dict[int, Line] = {}

    def do(self, step: Step) -> None:
        """Let one thing happen; what the API refuses changes nothing."""
        peer, room = self.peers[step.peer], self.rooms[step.peer]
        shown = room.messages(limit=1_000, threads=True)
        target = shown[step.target % len(shown)] if shown else None
        self.clocks[step.peer].advance(step.target % 3)
        match step.what:
            case "send":
                room.send("." + step.text)
            case "title":
                room.set_title(f"Title {step.target}")
            case "rename":
                peer.rename(f"Name {step.target}")
            case "read all":
                room.mark_read()
            case "private" | "public":
                room.set_receipts(step.what)
            case "mention":
                members = sorted(member.id for member in room.members())
                room.send("listen", mentions=members[step.target % PEERS :][:1])
            case "connect" if step.peer not in self.lines:
                self.lines[step.peer] = self.net.connect(peer)
            case "cut" if step.peer in self.lines:
                self.net.cut(self.lines.pop(step.peer))
            case "settle":
                self.net.settle()
            case "clock":
                self.clocks[step.peer].wall_ms += (step.target - 10) * 10 * MINUTE
            case _ if target is not None:
                about(room, target, step)

    def converge(self) -> None:
        """Connect everyone and bring them to rest."""
        for number, peer in enumerate(self.peers):
            if number not in self.lines:
                self.lines[number] = self.net.connect(peer)
        self.net.settle()

    def close(self) -> None:
        for peer in self.peers:
            peer.close()


def about(room: Room, target: Message, step: Step) -> None:
    """Do something about a message, as far as the API lets one."""
    emoji = EMOJI[step.target % len(EMOJI)]
    try:
        match step.what:
            case "reply":
                room.send("re", reply_to=target.id, thread=target.id)
            case "edit":
                room.edit(target.id, "!" + step.text)
            case "delete":
                room.delete(target.id)
            case "react":
                room.react(target.id, emoji)
            case "unreact":
                room.unreact(target.id, emoji)
            case "read":
                room.mark_read(target.id)
            case "beside":
                room.send("beside", thread=target.id)
            case "read thread" if target.thread is not None:
                room.mark_read(thread=target.thread)
            case "unread" if not target.mine and not target.deleted:
                room.mark_unread(target.id)
            case "change mentions":
                members = sorted(member.id for member in room.members())
                room.edit(target.id, "!", mentions=members[: step.target % 3])
    except NotAllowedError:
        assert not target.mine
    except NotFoundError:
        assert target.deleted


def all_shown(peer: Peer, room: Room) -> tuple[object, ...]:
    """Return all that a room shows to one peer."""
    return (
        room.digest(),
        room.messages(limit=1_000, threads=True),
        [(m.quote, m.replies, m.unread) for m in room.messages(limit=1_000, threads=True)],
        room.unread_counts(),
        room.first_unread(),
        room.threads(),
        room.count(),
        room.title,
        room.members(),
        room.outbox(),
        peer.name,
    )


@settings(max_examples=40)
@given(STEPS, st.integers(1, 8))
def test_rebuilt_view_is_the_view_that_was_kept(steps: list[Step], entries: int) -> None:
    company = Company()
    with small_volumes(entries):
        for step in steps:
            company.do(step)
        for peer, room in zip(company.peers, company.rooms, strict=True):
            kept = all_shown(peer, room)
            assert peer.check() == []
            peer.rebuild()
            assert all_shown(peer, room) == kept
            assert peer.check() == []
    company.close()


@settings(max_examples=40)
@given(STEPS, st.integers(1, 8))
def test_peers_that_have_heard_everything_show_the_same(steps: list[Step], entries: int) -> None:
    company = Company()
    with small_volumes(entries):
        for step in steps:
            company.do(step)
        company.converge()
        assert len({room.digest() for room in company.rooms}) == 1
        first, *others = company.rooms
        for room in others:
            assert seen(room.messages(limit=1_000, threads=True)) == seen(
                first.messages(limit=1_000, threads=True)
            )
            assert room.title == first.title
        for peer, room in zip(company.peers, company.rooms, strict=True):
            assert room.outbox() == []
            assert peer.check() == []
        newcomer = Inbox(77)
        envelopes = logged(company.net.world.log, newcomer.room.id)
        newcomer.deliver(*envelopes)
        assert seen(newcomer.room.messages(limit=1_000, threads=True)) == seen(
            first.messages(limit=1_000, threads=True)
        )
        assert newcomer.peer.check() == []
    company.close()


@given(acts())
def test_view_of_foreign_chains_is_rebuilt_as_it_was(history: list[object]) -> None:
    _, chains = played(history)  # type: ignore[arg-type]
    inbox = Inbox()
    for chain in chains:
        inbox.deliver(*chain)
    kept = all_shown(inbox.peer, inbox.room)
    inbox.peer.rebuild()
    assert all_shown(inbox.peer, inbox.room) == kept
    assert inbox.peer.check() == []
