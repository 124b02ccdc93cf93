"""Polls: the result follows from the entries in whatever order, and the last vote counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncchat.core.fold import Mark, fold_message, single_device_member
from syncchat.core.polls import Asked, Cast, Vote, count
from syncchat.core.values import DeleteValue, MessageValue, Root, VoteValue
from syncchat.ids import DeviceId, MemberId, MessageId, Stamp

ALICE, PHONE, BOB, CAROL = (DeviceId(letter * 13) for letter in "ABCD")
OWNERS = {ALICE: MemberId("alice"), PHONE: MemberId("alice"), BOB: MemberId("bob")}
OWNERS[CAROL] = MemberId("carol")
OPTIONS = ("one", "two", "three")
POLL = MessageValue(text="?", kind="poll", metadata={"options": list(OPTIONS), "multiple": True})
MESSAGE = MessageId("0" * 12 + "1" + ALICE)

STAMPS = st.integers(1, 30).map(lambda n: Stamp(f"{n:013}"))
CHOICES = st.lists(st.integers(-1, 3), max_size=3).map(tuple)


@st.composite
def casts(draw: st.DrawFn) -> Cast:
    """Draw an entry of somebody's: a vote, perhaps a closing, and what it overwrote."""
    stamps = sorted(draw(st.sets(STAMPS, min_size=1, max_size=4)))
    *before, at = stamps
    earlier = tuple((each, draw(CHOICES)) for each in before)
    closed = draw(st.none() | st.sampled_from(stamps))
    device = draw(st.sampled_from([ALICE, PHONE, BOB, CAROL]))
    return Cast(device, at, VoteValue(at, draw(CHOICES), closed, earlier))


ENTRIES = st.lists(casts(), max_size=6, unique_by=lambda cast: (cast.device, cast.at))


def shown_by_hand(
    asked: Asked, entries: list[Cast]
) -> tuple[set[tuple[str, tuple[int, ...]]], str]:
    """Return who chose what, and when the poll closed, by the words of the rules."""
    closings = [e.value.closed for e in entries if e.value.closed and OWNERS[e.device] == "alice"]
    closed = min(closings, default="")
    votes: dict[str, list[tuple[str, str, tuple[int, ...]]]] = {}
    for device, at, value in entries:
        for when, choices in [*value.earlier, (at, value.choices)]:
            if not closed or when <= closed:
                votes.setdefault(OWNERS[device], []).append((when, device, choices))
    found = set()
    for member, cast in votes.items():
        chosen = tuple(sorted(set(max(cast)[2])))
        is_valid = all(0 <= each < len(asked.options) for each in chosen)
        if chosen and is_valid and (asked.multiple or len(chosen) == 1):
            found.add((member, chosen))
    return found, closed


@given(ENTRIES, st.booleans())
def test_result_is_what_the_rules_say(entries: list[Cast], multiple: bool) -> None:
    asked = Asked(OPTIONS, multiple)
    votes, closed = count(asked, MemberId("alice"), entries, member_of=OWNERS.__getitem__)
    assert ({(v.member, v.choices) for v in votes}, closed or "") == shown_by_hand(asked, entries)
    assert list(votes) == sorted(votes, key=lambda vote: (vote.at, vote.member))
    assert len({vote.member for vote in votes}) == len(votes)


@given(ENTRIES, st.randoms(use_true_random=False), st.booleans())
def test_fold_of_a_poll_does_not_depend_on_the_order(
    entries: list[Cast], chance: object, is_deleted: bool
) -> None:
    marks = [Mark(Root.VOTES, MESSAGE, e.device, e.at, e.value) for e in entries]
    if is_deleted:
        at = Stamp(f"{40:013}")
        marks.append(Mark(Root.DELETES, MESSAGE, ALICE, at, DeleteValue(at)))
    shuffled = list(marks)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    folded = fold_message(MESSAGE, POLL, marks, member_of=single_device_member)
    assert folded == fold_message(MESSAGE, POLL, shuffled, member_of=single_device_member)
    assert folded is not None
    if is_deleted:
        assert (folded.votes, folded.closed_at) == ((), None)


def test_what_one_entry_overwrote_counts_as_if_it_stood_there() -> None:
    stamps = [Stamp(f"{n:013}") for n in (1, 2, 3)]
    carried = Cast(BOB, stamps[2], VoteValue(stamps[2], (2,), None, ((stamps[0], (0,)),)))
    closing = Cast(ALICE, stamps[1], VoteValue(stamps[1], (), stamps[1]))
    votes, closed = count(
        Asked(OPTIONS, False),
        MemberId("alice"),
        [carried, closing],
        member_of=OWNERS.__getitem__,
    )
    assert (votes, closed) == ((Vote(MemberId("bob"), (0,), stamps[0]),), stamps[1])
