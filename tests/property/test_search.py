"""Laws of searching: what is found is what a plain look at every message finds, and nothing else.

The plain look knows nothing of folding, pieces or an index: it is written for an alphabet in which
that is simple.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncchat.core import folding
from syncchat.core.hit import snippet
from syncchat.core.message import Message
from syncchat.core.query import Term, parse
from syncchat.errors import ValidationError
from syncchat.peer import Peer
from syncchat.room import Room
from syncchat.storage import search
from syncchat.storage.database import Database, SearchSizes
from syncchat.testing.strategies import texts
from tests.support.peers import make_peer

from .test_view import STEPS, Company, Step

TODAY = date(2026, 11, 26)
SIZES = st.builds(
    SearchSizes, st.integers(0, 3), st.integers(1, 3), st.integers(1, 9), st.integers(1, 5)
)

LETTERS = "abAB12"
ALONE = "日本👍"
SIGNS = "-.:\"'*(^%_"
SAID = st.text(LETTERS + LETTERS + ALONE + SIGNS + "   ", max_size=12).map(lambda text: f"={text}")
WORDS = st.one_of(
    st.text(LETTERS, min_size=1, max_size=4),
    st.text(LETTERS + ALONE + SIGNS, min_size=1, max_size=4).filter(lambda w: w[0] not in '"-'),
)

ANYTHING = st.one_of(
    st.text(max_size=40),
    st.text('ab "-:*^(){}+', max_size=40),
    st.lists(
        st.sampled_from(
            [
                *(
                    "from:",
                    "in:",
                    "has:",
                    "is:",
                    "before:",
                    "after:",
                    "me",
                    "link",
                    "unread",
                    "9999",
                ),
                *('"', "-", " ", "a", "ab", "日", "AND", "NEAR(", "*", "\x00", "\ud800", "2026-1"),
            ]
        ),
        max_size=12,
    ).map("".join),
)


@pytest.fixture(scope="module")
def said() -> Room:
    """Give a room with a few messages, most of them in the index."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "search_sizes", SearchSizes(few=1, step=1, many=3, back=1))
        peer = make_peer(1, name="Alice")
        room = peer.create_room("Team")
        for text in ("ab a* AND", "from:me 日本", "see https://x.org", "NEAR(ab)", "last"):
            room.send(text)
        room._peer._db.search_sizes = SearchSizes(few=1, step=1, many=3, back=1)
        return room


@settings(max_examples=400)
@given(ANYTHING, st.booleans())
@example('"" ""', True)
@example("a" * 500, True)
def test_any_text_is_a_query_or_an_error_that_says_why(said: Room, text: str, newest: bool) -> None:
    try:
        query = parse(text, today=TODAY)
        hits = said._peer.search(text, newest=newest)
    except ValidationError as error:
        assert str(error)
    else:
        assert query.terms or query.filters or query.after or query.before
        for hit in hits:
            assert hit.snippet == snippet(hit.message.text, query)[0]


@settings(max_examples=300)
@given(texts(max_size=60) | st.text(max_size=60), st.integers(0, 80), st.integers(1, 12))
def test_index_gives_every_text_that_holds_a_term(text: str, at: int, size: int) -> None:
    folded = folding.fold(text)
    part = folded[at % (len(folded) + 1) :][:size].strip()
    if part:
        term = Term(part, folding.is_short(part))
        indexed = folding.indexed(folded)
        if next(term.places(folded), None) is not None:
            for some in folding.pieces(part):
                assert any(piece in indexed for piece in some)


@settings(max_examples=300)
@given(texts(max_size=60) | st.text(max_size=60), st.text(min_size=1, max_size=5))
def test_snippet_is_one_harmless_line_whose_marks_show_the_term(text: str, word: str) -> None:
    try:
        query = parse(f'"{word}" in:x', today=TODAY)
    except ValidationError:
        return
    line, marks = snippet(text, query)
    assert len(line) <= 2 * 162 and "\n" not in line
    assert not any(char < " " or char in "\x7f\u202e\u2066\u200b" for char in line)
    for (_, end), (start, _) in pairwise(marks):
        assert end < start
    for start, end in marks:
        assert 0 <= start < end <= len(line)
        shown = re.sub("[\u2400-\u2421]", "", line[start:end])  # pictures of control characters
        if "\N{REPLACEMENT CHARACTER}" not in shown:
            folded = folding.fold(shown)
            assert any(term.text in folded or folded in term.text for term in query.terms)


def holds(text: str, word: str) -> bool:
    """Tell, by a plain look, whether a text holds a word."""
    text = text.replace("é", "e").replace("\0", "")  # which the steps' texts have
    text, word = " ".join(text.lower().split()), word.lower()
    if len(word) > 2 or any(char in ALONE for char in word):
        return word in text
    before = rf"(?:^|[ {ALONE}🎈]" + ("|[^a-z0-9])" if word[0].isalnum() else ")")
    return re.search(before + re.escape(word), text) is not None


@settings(max_examples=40)
@given(STEPS, st.lists(SAID, min_size=1, max_size=12), SIZES, st.sampled_from((1, 3, 9)), st.data())
def test_search_finds_what_a_plain_look_at_every_message_finds(
    steps: list[Step], said: list[str], sizes: SearchSizes, candidates: int, data: st.DataObject
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "search_sizes", sizes)
        patch.setattr(search, "CANDIDATES_MAX", candidates)
        company = Company()
        for number, text in enumerate(said):
            for step in steps[number :: len(said)]:
                company.do(step)
            room = company.rooms[number % len(company.rooms)]
            room.send(text)
            own = [m for m in room.messages(limit=1_000, threads=True) if m.mine and not m.deleted]
            if number % 3 == 2:
                room.edit(own[0].id, said[number - 1])
        company.converge()
        for _ in range(3):
            words = data.draw(st.lists(WORDS, min_size=1, max_size=2))
            without = data.draw(st.lists(st.text(LETTERS, min_size=1, max_size=3), max_size=1))
            for peer, room in zip(company.peers, company.rooms, strict=True):
                check(peer, room, words, without)
        assert [peer.check() for peer in company.peers] == [[], [], []]
        company.close()


def check(peer: Peer, room: Room, words: list[str], without: list[str]) -> None:
    """Compare one search with a plain look, alone and with each filter."""
    plain = [
        message
        for message in reversed(room.messages(limit=1_000, threads=True))
        if not message.deleted
        and all(holds(message.text, word) for word in words)
        and not any(holds(message.text, word) for word in without)
    ]
    text = " ".join([*words, *(f"-{word}" for word in without)])
    filters: dict[str, Callable[[Message], bool]] = {
        "in:Team": lambda m: True,
        "is:mine": lambda m: m.mine,
        "is:edited": lambda m: m.edited_at is not None,
        "-is:reply": lambda m: m.reply_to is None,
        "is:thread": lambda m: m.thread is not None,
        f"from:{peer.id}": lambda m: m.sender == peer.id,
    }
    title = room.title
    for name, fits in filters.items():
        wanted = [message.id for message in plain if fits(message)]
        asked = f"{text} {name}".replace("in:Team", f'in:"{title}"')
        found = [hit.message for hit in peer.search(asked, newest=True, limit=1_000)]
        assert [message.id for message in found] == wanted, asked
        ranked = peer.search(asked, limit=1_000)
        assert {hit.message.id for hit in ranked} == set(wanted), asked
    counts = room.unread_counts()
    unread = counts.messages + counts.in_threads
    assert len(peer.search("is:unread", limit=1_000)) == unread
