"""Unread and mention counts are kept as things happen, and equal a full recount at any moment.

The model below is the recount: it knows who said what to whom in which thread, up to where the
person has read, and what they marked; it looks at nothing that is kept. Others and the person's
second device write for themselves, and what they wrote arrives late, in pieces, in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncchat.core import clock
from syncchat.core.markers import marker_key
from syncchat.core.reader import Change
from syncchat.core.values import (
    DeleteValue,
    EditValue,
    FieldValue,
    MessageValue,
    ReadValue,
    Root,
    encode_value,
)
from syncchat.ids import (
    DeviceId,
    DeviceKey,
    MemberId,
    MessageId,
    Stamp,
    author_device,
    message_id,
    room_text,
    stamp_of,
)
from syncchat.storage import chains, members
from syncchat.storage.tallies import UnreadCounts
from syncchat.storage.view import ViewBatch
from tests.support.peers import LINK, make_peer
from tests.support.ports import FakeClock

BOB, CAROL, PHONE = (DeviceId(letter * 13) for letter in "BCD")
DEVICES = (BOB, CAROL, PHONE)
"""Two others, each a person of their own, and the second device of the person."""


class Act(NamedTuple):
    """Is one thing that happens; the numbers are taken modulo what there is."""

    what: str
    who: int
    target: int


HERE = ("read", "read all", "read thread", "mark", "mark", "receipts", "send")
"""What the person does on this device."""

THERE = (
    *("say", "say", "beside", "mention", "mention beside", "edit", "delete"),
    *("read", "read unseen", "mark", "unmark"),
)
"""What others do, and the person on the phone; it arrives with ``deliver``."""

ACTS = st.builds(
    Act,
    st.sampled_from([*HERE, *(f"there: {what}" for what in THERE * 2), *["deliver"] * 12]),
    st.integers(0, 2),
    st.integers(0, 30),
)


@dataclass
class Said:
    """Is one message in the model; ``edits`` are whether it mentions the person, by moment."""

    thread: str | None
    mention: bool
    edits: dict[Stamp, bool] = field(default_factory=dict)
    is_deleted: bool = False

    def mentions_me(self) -> bool:
        return self.edits[max(self.edits)] if self.edits else self.mention


class Life:
    """Is a person at one device, others, and what should be unread."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.peer = make_peer(1, clock=self.clock)
        self.room = self.peer.join(LINK)
        self.text = room_text(self.room.id)
        self.db = self.peer._db
        with self.db.atomic():
            self.home = self.peer._personal.make().id
            owners = [(BOB, MemberId("bob")), (CAROL, MemberId("carol")), (PHONE, self.peer.id)]
            members.set_owners(self.db, self.room._row, owners)
            members.set_owners(self.db, self.home, [(PHONE, self.peer.id)])
            self.chains = {
                (row, device): chains.add_chain(self.db, row, device, DeviceKey(bytes(32))).id
                for row in (self.room._row, self.home)
                for device in DEVICES
            }
        self.waiting: dict[DeviceId, list[tuple[int, Root, str, Any]]] = {d: [] for d in DEVICES}
        self.written: dict[MessageId, str | None] = {}
        self.clocks: Counter[int] = Counter()
        # The model
        self.here: dict[str, Said] = {}
        self.uptos: dict[tuple[str, str | None], Stamp] = {}
        self.marks: dict[str, tuple[Stamp, bool]] = {}

    def do(self, act: Act) -> None:
        """Let one thing happen, here or elsewhere; what makes no sense does nothing."""
        self.clock.advance(10)
        device = DEVICES[act.who]
        if act.what == "deliver":
            self._deliver(device, act.target % 4 + 1)
        elif act.what.startswith("there: "):
            self._there(device, act.what[7:], act.target)
        else:
            self._here(act.what, act.target)

    def counts(self) -> tuple[UnreadCounts, dict[str, tuple[int, int]]]:
        """Return what is unread outside of threads and in all, and in each thread."""
        found: dict[str | None, list[int]] = {}
        for message, said in self.here.items():
            if self._is_unread(message, said):
                place = found.setdefault(said.thread, [0, 0])
                place[0] += 1
                place[1] += said.mentions_me()
        main = found.pop(None, [0, 0])
        threads = {thread: (n, mentions) for thread, (n, mentions) in found.items() if thread}
        in_threads = [sum(column) for column in zip((0, 0), *threads.values(), strict=True)]
        return UnreadCounts(*main, *in_threads), threads

    def _is_unread(self, message: str, said: Said) -> bool:
        if said.is_deleted or author_device(MessageId(message)) not in (BOB, CAROL):
            return False
        is_marked = self.marks.get(message, (Stamp(""), False))[1]
        return is_marked or stamp_of(MessageId(message)) > self._upto(message, said.thread)

    def _upto(self, message: str, thread: str | None) -> Stamp:
        return self.uptos.get((author_device(MessageId(message)), thread), Stamp(""))

    # On this device

    def _here(self, what: str, target: int) -> None:
        shown = self.room.messages(limit=1_000, threads=True)
        aimed = shown[target % len(shown)] if shown else None
        match what:
            case "read all":
                self._note_read(set(self.here))
                self.room.mark_read()
            case "receipts":
                self.room.set_receipts("public" if target % 2 else "private")
            case "send":
                message = self.room.send("mine")
                self.here[message.id] = Said(None, False)
                self.written[message.id] = None
            case "read" if aimed is not None:
                same = {m.id for m in shown if m.thread == aimed.thread and m.id <= aimed.id}
                self._note_read(same)
                self.room.mark_read(aimed.id)
            case "read thread" if aimed is not None and aimed.thread is not None:
                self._note_read({m.id for m in shown if m.thread == aimed.thread})
                self.room.mark_read(thread=aimed.thread)
            case "mark" if aimed is not None and not aimed.mine and not aimed.deleted:
                if not self._is_unread(aimed.id, self.here[aimed.id]):
                    self.marks[aimed.id] = (self._now(), True)
                self.room.mark_unread(aimed.id)

    def _note_read(self, messages: Iterable[str]) -> None:
        for message in messages:
            said = self.here[message]
            if self._is_unread(message, said):
                if self.marks.get(message, (Stamp(""), False))[1]:
                    self.marks[message] = (self._now(), False)
                place = author_device(MessageId(message)), said.thread
                latest = max(self._upto(message, said.thread), stamp_of(MessageId(message)))
                self.uptos[place] = latest

    # Elsewhere

    def _there(self, device: DeviceId, what: str, target: int) -> None:
        row, at = self.room._row, self._now()
        known = sorted(self.written)
        aimed = known[target % len(known)] if known else None
        own = [m for m in known if author_device(m) == device]
        me = (self.peer.id,) if "mention" in what else ()
        match what:
            case "say" | "mention":
                self._say(device, MessageValue(text="said", mentions=me))
            case "beside" | "mention beside" if aimed is not None:
                thread = self.written[aimed] or aimed
                self._say(device, MessageValue(text="beside", mentions=me, thread=thread))
            case "edit" if own:
                mentions = (self.peer.id,) if target % 2 else ()
                message = own[target % len(own)]
                self._write(device, row, Root.EDITS, message, EditValue(at, "new", mentions))
            case "delete" if own:
                message = own[target % len(own)]
                self._write(
                    device, row, Root.DELETES, message, DeleteValue(at, self.written[message])
                )
            case _ if aimed is not None and device == PHONE:
                self._on_the_phone(what, aimed, at)

    def _on_the_phone(self, what: str, aimed: MessageId, at: Stamp) -> None:
        place = marker_key(author_device(aimed), MessageId(self.written[aimed] or "") or None)
        read = ReadValue(at, stamp_of(aimed))
        match what:
            case "read":
                self._write(PHONE, self.room._row, Root.READS, place, read)
            case "read unseen":
                self._write(PHONE, self.home, Root.READS, f"{self.text}/{place}", read)
            case "mark" | "unmark":
                value = FieldValue(at, self.text if what == "mark" else None)
                self._write(PHONE, self.home, Root.ROOM, f"unread/{aimed}", value)

    def _say(self, device: DeviceId, value: MessageValue) -> None:
        at = self._now()
        message = message_id(at, device)
        self.written[message] = value.thread
        self._write(device, self.room._row, Root.MESSAGES, at, value)

    def _write(self, device: DeviceId, row: int, root: Root, key: str, value: Any) -> None:
        self.waiting[device].append((row, root, key, value))

    def _deliver(self, device: DeviceId, count: int) -> None:
        """Bring what a device wrote, in its order, one transaction for each room."""
        part = self.waiting[device][:count]
        del self.waiting[device][:count]
        for row in {row for row, *_ in part}:
            changes = []
            for where, root, key, value in part:
                if where == row:
                    self.clocks[row] += 1
                    at = Stamp(key) if root is Root.MESSAGES else value.at
                    raw = encode_value(value)
                    changes.append(Change(root, key, self.clocks[row], at, raw, value))
                    self._note(device, root, key, value)
            with self.db.atomic():
                batch = ViewBatch(self.db, row, me=self.peer.device)
                chain = self.chains[row, device]
                batch.add(chain=chain, device=device, volume=0, seq=1, changes=changes)
                batch.flush()

    def _note(self, device: DeviceId, root: Root, key: str, value: Any) -> None:
        """Take in the model what has arrived."""
        match value:
            case MessageValue(thread=thread, mentions=mentions):
                self.here[message_id(Stamp(key), device)] = Said(thread, bool(mentions))
            case EditValue(at, _, mentions):
                self.here[key].edits[Stamp(at)] = bool(mentions)
            case DeleteValue():
                self.here[key].is_deleted = True
            case ReadValue(upto=upto):
                place = key.partition("/")[2] or key
                where = place[:13], place[13:] or None
                self.uptos[where] = max(self.uptos.get(where, Stamp("")), Stamp(upto))
            case FieldValue(at, marked):
                message = key.partition("/")[2]
                if Stamp(at) > self.marks.get(message, (Stamp(""), False))[0]:
                    self.marks[message] = (Stamp(at), marked is not None)
        assert root in Root

    def _now(self) -> Stamp:
        return clock.stamp(self.clock.now_ms())


def live(history: list[Act]) -> None:
    """Live a life, and compare what is kept with the model as it goes and at its end."""
    life = Life()
    with life.peer:
        for number, act in enumerate(history):
            life.do(act)
            if number % 8 == 7:
                check(life)
        for device in DEVICES:
            life._deliver(device, 1_000)
        check(life)


def check(life: Life) -> None:
    room, (counts, by_thread) = life.room, life.counts()
    assert room.unread_counts() == counts == life.peer.unread()[room.id]
    threads = {t.id: (t.unread, t.mentions) for t in room.threads(limit=1_000) if t.unread}
    assert threads == by_thread
    assert all(room.unread(thread=thread) == n for thread, (n, _) in by_thread.items())
    unread = {m for m, said in life.here.items() if life._is_unread(m, said)}
    assert unread == {m.id for m in room.messages(limit=1_000, threads=True) if m.unread}
    first = room.first_unread()
    assert (first and first.id) == min((m for m in unread if not life.here[m].thread), default=None)
    assert life.peer.recount() == []


@settings(max_examples=200)
@given(st.lists(ACTS, min_size=10, max_size=40))
def test_kept_counts_equal_a_recount_in_random_histories(history: list[Act]) -> None:
    live(history)


@pytest.mark.slow
@pytest.mark.timeout(7_200)
@settings(max_examples=10_000, suppress_health_check=list(HealthCheck))
@given(st.lists(ACTS, min_size=10, max_size=60))
def test_kept_counts_equal_a_recount_in_ten_thousand_random_histories(history: list[Act]) -> None:
    live(history)
