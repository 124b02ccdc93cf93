"""Laws of the fold: what a room shows follows from what was written, not from how it arrived."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from syncchat.core.fold import Mark, fold_message, single_device_member
from syncchat.core.values import DeleteValue, EditValue, MessageValue, ReactionValue, Root
from syncchat.ids import DeviceId, MessageId, Stamp
from tests.support.devices import Device, interleaved
from tests.support.histories import Act, acts, played, seen
from tests.support.peers import Inbox

ORDERS = st.lists(st.integers(0, 2), min_size=1, max_size=12)
SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=8)
REPEATS = st.lists(st.integers(0, 30), max_size=5)


def deliver(inbox: Inbox, envelopes: list[bytes], sizes: list[int], repeats: list[int]) -> None:
    """Deliver in batches of these sizes, in turn, with some envelopes once more."""
    at = 0
    for step in range(len(envelopes)):
        part = envelopes[at : at + sizes[step % len(sizes)]]
        at += len(part)
        again = [envelopes[repeats[step] % at]] if step < len(repeats) and at else []
        if part or again:
            inbox.deliver(*part, *again)
    assert at == len(envelopes)


@given(acts(), ORDERS, ORDERS, SIZES, REPEATS)
def test_room_shows_the_same_whatever_the_order_the_split_and_the_repetition(
    history: list[Act], one: list[int], other: list[int], sizes: list[int], repeats: list[int]
) -> None:
    told, chains = played(history)
    first, second = Inbox(90), Inbox(90)
    deliver(first, interleaved(chains, one), [len(history) + 50], [])
    deliver(second, interleaved(chains, other), sizes, repeats)
    assert seen(first.room.messages(limit=1_000)) == told.shown()
    assert first.room.digest() == second.room.digest()
    assert first.room.messages(limit=1_000) == second.room.messages(limit=1_000)
    assert first.peer.check() == second.peer.check() == []


@given(acts(max_size=15), st.randoms(use_true_random=False))
def test_room_shows_the_same_even_when_chains_arrive_out_of_order(
    history: list[Act], chance: object
) -> None:
    told, chains = played(history)
    envelopes = [raw for chain in chains for raw in chain]
    chance.shuffle(envelopes)  # type: ignore[attr-defined]
    inbox = Inbox()
    for raw in envelopes:
        inbox.deliver(raw)
    assert seen(inbox.room.messages(limit=1_000)) == told.shown()
    assert inbox.peer.check() == []


ALICE, BOB = DeviceId("A" * 13), DeviceId("B" * 13)
MESSAGE = MessageId("0" * 12 + "1" + ALICE)
STAMPS = st.integers(0, 9).map(lambda n: Stamp(f"{n:013}"))
MARKS = st.one_of(
    st.builds(
        lambda device, at, text: Mark(Root.EDITS, MESSAGE, device, at, EditValue(at, text)),
        st.sampled_from([ALICE, BOB]),
        STAMPS,
        st.text(max_size=2),
    ),
    st.builds(
        lambda device, at, on: Mark(
            Root.REACTIONS, MESSAGE + "x", device, at, ReactionValue(at, on)
        ),
        st.sampled_from([ALICE, BOB]),
        STAMPS,
        st.booleans(),
    ),
    st.builds(
        lambda device, at: Mark(Root.DELETES, MESSAGE, device, at, DeleteValue(at)),
        st.sampled_from([ALICE, BOB]),
        STAMPS,
    ),
)


@given(
    st.lists(MARKS, max_size=6, unique_by=lambda m: (m.root, m.device, m.at)),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_fold_does_not_depend_on_the_order_of_marks(
    marks: list[Mark], chance: object, is_here: bool
) -> None:
    value = MessageValue(text="first") if is_here else None
    shuffled = list(marks)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fold_message(MESSAGE, value, marks, member_of=single_device_member) == fold_message(
        MESSAGE, value, shuffled, member_of=single_device_member
    )


@given(st.lists(MARKS, max_size=8, unique_by=lambda m: (m.root, m.device, m.at)))
def test_last_edit_of_the_author_and_the_last_word_on_a_reaction_win(marks: list[Mark]) -> None:
    kept = [mark for mark in marks if mark.root is not Root.DELETES]
    shown = fold_message(MESSAGE, MessageValue(text="0"), kept, member_of=single_device_member)
    edits = {m.at: m.value.text for m in kept if m.root is Root.EDITS and m.device == ALICE}
    switches = {
        device: {m.at: m.value.on for m in kept if (m.root, m.device) == (Root.REACTIONS, device)}
        for device in (ALICE, BOB)
    }
    assert shown is not None
    assert shown.text == (edits[max(edits)] if edits else "0")
    assert shown.edited_at == max(edits, default=None)
    on = {str(device) for device, said in switches.items() if said and said[max(said)]}
    assert {str(reaction.member) for reaction in shown.reactions} == on


@given(st.lists(MARKS, max_size=6))
def test_nobody_but_the_author_edits_or_deletes(marks: list[Mark]) -> None:
    foreign = [m for m in marks if m.device == BOB and m.root is not Root.REACTIONS]
    shown = fold_message(
        MESSAGE, MessageValue(text="first"), foreign, member_of=single_device_member
    )
    assert shown is not None
    assert (shown.text, shown.deleted, shown.edited_at) == ("first", False, None)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_reaction_before_its_message_counts_once_the_message_is_there(gaps: list[int]) -> None:
    alice, bob = Device(1), Device(2)
    messages = [alice.message(f"number {n}") for n in accumulate(gaps)]
    marks = [bob.write(bob.react(message, "👍")) for message, _ in messages]
    inbox = Inbox()
    inbox.deliver(*marks)
    assert inbox.room.messages() == []
    inbox.deliver(*(alice.write(entry) for _, entry in messages))
    shown = inbox.room.messages()
    assert [[(str(r.member), r.emoji) for r in m.reactions] for m in shown] == [
        [(str(bob.id), "👍")] for _ in messages
    ]
    assert inbox.peer.check() == []
