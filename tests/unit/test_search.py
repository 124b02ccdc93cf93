"""What people find: in one room or in all, by words and by filters, best or newest first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import syncchat
from syncchat.core.message import Message
from syncchat.errors import ValidationError
from syncchat.peer import Peer
from syncchat.room import Room
from syncchat.storage import search
from syncchat.storage.database import Database, SearchSizes
from tests.support.peers import LINK, Net, make_peer
from tests.support.ports import FakeClock

DAY_MS = 24 * 3600 * 1000


@pytest.fixture(
    params=[SearchSizes(), SearchSizes(few=1, step=1, many=3, back=1)], ids=["looked at", "index"]
)
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have searches look at all messages, or use the index as soon as there is anything in it."""
    monkeypatch.setattr(Database, "search_sizes", request.param)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def alice(sizes: None, clock: FakeClock) -> Iterator[Peer]:
    with make_peer(1, clock=clock, name="Alice") as peer:
        yield peer


@pytest.fixture
def room(alice: Peer) -> Room:
    return alice.create_room("Team")


@dataclass
class Pair:
    """Is two people in one room, who have all that the other wrote."""

    net: Net
    alice: Room
    bob: Room

    def settle(self) -> None:
        self.net.settle()


@pytest.fixture
def pair(alice: Peer, clock: FakeClock) -> Iterator[Pair]:
    with make_peer(2, clock=clock, name="Bob Builder") as bob:
        net = Net()
        made = Pair(net, alice.join(LINK), bob.join(LINK))
        for peer in (alice, bob):
            net.connect(peer)
        made.settle()
        yield made


def found(where: Room | Peer, query: str, *, newest: bool = True, limit: int = 20) -> list[str]:
    return [hit.message.text for hit in where.search(query, newest=newest, limit=limit)]


# Words


@pytest.mark.parametrize(
    ("text", "queries", "not_queries"),
    [
        ("Grüße aus Zürich", ["zur", "GRUSSE", "üric", "zu gr", '"aus z"'], ["uri aus x", "ri"]),
        ("שָׁלוֹם עולם", ["שלום", "של", "לום", "עו"], ["לו", "שלומ"]),
        ("مرحبا بالعالم", ["مر", "عالم", "العا"], ["را"]),
        ("日本語のテストです", ["日", "本", "本語", "テス", "スト", '"のテ"'], ["英", "語日"]),
        ("안녕하세요", ["안", "하세", "녕하세"], ["하안"]),
        ("ปลาทอง", ["ปล", "ทอง", "ลาท"], ["งท"]),
        ("Привет мир", ["привет", "ми", "иве", "ПРИ"], ["ве"]),
        ("नमस्ते दुनिया", ["नम", "मस्ते", "दु"], ["किय"]),
        ("done 👍🏽 🏳️‍🌈👨‍👩‍👧", ["👍", "👍🏽", "🌈", "👩", "🏳️‍🌈"], ["👎"]),
        ("say c++ or C# -> (no) x=1", ["c++", "c#", "no", "x=1", "->", "or"], ["c--", "ay"]),
        ("semi-final at 10:30", ["fin", "fi", "mi-f", "10:30", "30"], ["nal-", "al"]),
        ("two\nlines\r\nand more", ['"two lines and"', "lines mor"], ['"two and"']),
        ("'quoted' \"double\" back\\slash 50%_x", ['ble"', "50%", "%_x", "k\\s", "do"], ["5_"]),
        ('NEAR("a b") AND col:x NOT y*', ["near", "AND", "NOT", "col:x", 'ar("a', "y*"], ["a*b"]),
    ],
)
def test_words_of_any_script_are_found(
    room: Room, text: str, queries: list[str], not_queries: list[str]
) -> None:
    room.send("before it")
    room.send(text)
    room.send("after it")
    for query in queries:
        assert text in found(room, query), query
    for query in not_queries:
        assert text not in found(room, query), query


def test_all_words_must_be_there_and_excluded_ones_must_not(room: Room) -> None:
    for text in ("lunch tomorrow", "tomorrow lunch is cancelled", "lunch"):
        room.send(text)
    assert found(room, "lunch tom") == ["tomorrow lunch is cancelled", "lunch tomorrow"]
    assert found(room, '"lunch tom"') == ["lunch tomorrow"]
    assert found(room, "lunch -cancelled") == ["lunch", "lunch tomorrow"]
    assert found(room, "lunch -to") == ["lunch"]


def test_names_of_files_are_found(room: Room) -> None:
    sent = room.send(kind="file", attachments=[{"name": "Übersicht 2026.PDF", "size": 1}])
    room.send("something else")
    (hit,) = room.search("ubersicht pdf")
    assert hit.message.id == sent.id
    assert hit.snippet == "Übersicht 2026.PDF"
    assert [hit.snippet[start:end] for start, end in hit.marks] == ["Übersicht", "PDF"]


def test_names_of_files_are_found_where_the_text_was_edited(room: Room) -> None:
    sent = room.send("first", attachments=[{"name": "plan.pdf"}])
    room.edit(sent.id, "second")
    for query in ("plan", "second pla", "pdf second"):
        assert found(room, query) == ["second"], query
    assert found(room, "first") == []


def test_texts_with_what_json_escapes_or_is_unseen_are_found(room: Room) -> None:
    texts = ["pass\x7fword", "a\tpassword", 'pass"word password', "pass\x00word", "pas\u200bsword"]
    for text in texts:
        room.send(text)
    assert found(room, "password") == texts[::-1]


# Order and pages


def test_ranked_search_gives_whole_words_first_and_of_equals_the_newest(room: Room) -> None:
    for text in ("a cat", "concatenate", "cats", "the cat", "dog"):
        room.send(text)
    assert found(room, "cat", newest=False) == ["the cat", "a cat", "cats", "concatenate"]
    assert found(room, "cat") == ["the cat", "cats", "concatenate", "a cat"]


def test_best_of_the_newest_that_fit_come_first(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "RANKED", 3)
    for text in ("cat", "cats 1", "cats 2", "cats 3"):
        room.send(text)
    assert found(room, "cat", newest=False, limit=2) == ["cats 3", "cats 2"]
    assert found(room, "cat", newest=False, limit=4)[0] == "cat"


def test_pages_of_the_newest_go_on_before_the_last_hit(room: Room) -> None:
    for number in range(25):
        room.send(f"text {number}")
    pages, before = [], None
    while page := room.search("text", newest=True, limit=10, before=before):
        pages.append([hit.message.text for hit in page])
        before = page[-1].message.id
    assert pages == [
        [f"text {n}" for n in range(24, 14, -1)],
        [f"text {n}" for n in range(14, 4, -1)],
        [f"text {n}" for n in range(4, -1, -1)],
    ]


def test_all_rooms_are_searched_and_their_hits_are_in_order_of_time(alice: Peer) -> None:
    rooms = [alice.create_room(title) for title in ("One", "Two", "Three")]
    for number in range(9):
        rooms[number % 3].send(f"text {number}")
    assert found(alice, "text") == [f"text {n}" for n in range(8, -1, -1)]
    assert found(alice, "text", limit=4) == [f"text {n}" for n in range(8, 4, -1)]
    assert {hit.message.room_id for hit in alice.search("text")} == {room.id for room in rooms}
    assert found(rooms[1], "text") == ["text 7", "text 4", "text 1"]
    assert found(alice, "in:two text") == ["text 7", "text 4", "text 1"]
    assert found(alice, "in:One in:two text", limit=2) == ["text 7", "text 6"]
    assert found(alice, "text -in:One -in:Two") == ["text 8", "text 5", "text 2"]


def test_messages_that_arrive_late_stand_in_their_place(pair: Pair, clock: FakeClock) -> None:
    bob, alice = pair.bob, pair.alice
    line = next(line for line in pair.net.lines if line.peer is bob._peer)
    pair.net.cut(line)
    bob.send("text of bob")
    clock.advance(1000)
    for number in range(4):
        alice.send(f"text {number}")
    pair.net.connect(bob._peer)
    pair.settle()
    for room in (alice, bob):
        assert found(room, "text") == [*(f"text {n}" for n in (3, 2, 1, 0)), "text of bob"]


def test_words_that_are_everywhere_are_found_by_looking_back(
    pair: Pair, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CANDIDATES_MAX", 2)
    monkeypatch.setattr(search, "_FEW", 2)
    for number in range(20):
        clock.advance(1)
        (pair.alice, pair.bob)[number % 2].send(f"text {number}", mentions=[pair.alice._peer.id])
    pair.settle()
    pair.alice.edit(pair.alice.messages()[0].id, "text was edited")
    for _ in range(3):
        pair.alice.send("other")
    assert found(pair.alice, "text", limit=3) == ["text 19", "text 18", "text 17"]
    assert len(found(pair.alice, "text", limit=100)) == 20
    assert found(pair.alice, "text from:bob", limit=2) == ["text 19", "text 17"]
    assert len(found(pair.alice, "text -is:mine is:mention", limit=100)) == 10
    assert len(found(pair.alice, "text is:unread", limit=100)) == 10
    assert found(pair.alice, "text is:edited") == ["text was edited"]
    assert len(found(pair.alice, "text is:mine -is:edited", limit=100)) == 9


# Changes


def test_edits_and_deletions_show_at_once_and_at_others(pair: Pair) -> None:
    sent = [pair.alice.send(f"old {number}") for number in range(5)]
    pair.settle()
    pair.alice.edit(sent[0].id, "new 0")
    pair.alice.delete(sent[1].id)
    assert found(pair.alice, "old") == ["old 4", "old 3", "old 2"]
    assert found(pair.bob, "old") == [f"old {n}" for n in (4, 3, 2, 1, 0)]
    pair.settle()
    assert found(pair.bob, "old") == ["old 4", "old 3", "old 2"]
    assert found(pair.bob, "new") == ["new 0"]
    for room in (pair.alice, pair.bob):
        assert room._peer.check() == []


# Filters


def test_filter_by_writer(pair: Pair) -> None:
    pair.alice.send("text of alice")
    pair.bob.send("text of bob")
    pair.settle()
    for query in ("from:alice", "from:ALICE text", "from:Al", "-from:bob", "is:mine", "from:me"):
        assert found(pair.alice, query) == ["text of alice"], query
    for query in ('from:"Bob Builder"', "from:bob", "-from:me", "-is:mine", "-from:Alice"):
        assert found(pair.alice, query) == ["text of bob"], query
    assert found(pair.bob, "from:me") == ["text of bob"]
    assert found(pair.alice, f"from:{pair.bob._peer.id[:8].lower()}") == ["text of bob"]
    assert len(found(pair.alice, "from:alice from:bob")) == 2
    assert found(pair.alice, "from:alice bob") == []
    with pytest.raises(
        ValidationError, match="nobody here is called 'carol'; there are Alice, Bob"
    ):
        pair.alice.search("from:carol")


def test_filter_by_what_a_message_has(room: Room) -> None:
    room.send("plain")
    room.send("see https://example.org")
    room.send("or WWW.example.org")
    room.send("photo", kind="image", attachments=[{"name": "a.png", "type": "image/png"}])
    room.send("song", attachments=[{"name": "a.ogg", "type": "audio/ogg"}])
    room.send("here", kind="location", metadata={"lat": 1, "lon": 2})
    room.send("after")
    assert found(room, "has:link") == ["or WWW.example.org", "see https://example.org"]
    assert found(room, "has:file") == ["song", "photo"]
    assert found(room, "has:image") == ["photo"]
    assert found(room, "has:audio has:file") == ["song"]
    assert found(room, "has:location") == ["here"]
    assert found(room, "has:image has:audio") == []
    assert found(room, "has:video") == []
    assert found(room, "-has:file -has:link -has:location") == ["after", "plain"]
    assert found(room, "has:file so") == ["song"]


def test_filter_by_state(pair: Pair) -> None:
    alice, bob = pair.alice, pair.bob
    first = alice.send("first")
    alice.send("answer", reply_to=first.id)
    alice.send("in a thread", thread=first.id)
    alice.send("@bob look", mentions=[bob._peer.id])
    edited = alice.send("to be edited")
    pair.settle()
    alice.edit(edited.id, "was edited")
    pair.settle()
    bob.mark_read(first.id)
    assert found(bob, "is:reply") == ["answer"]
    assert found(bob, "is:thread") == ["in a thread"]
    assert found(bob, "is:mention") == ["@bob look"]
    assert found(alice, "is:mention") == []
    assert found(bob, "is:edited") == ["was edited"]
    assert found(bob, "is:unread") == ["was edited", "@bob look", "in a thread", "answer"]
    assert found(bob, "-is:unread") == ["first"]
    assert found(bob, "is:unread -is:thread -is:edited l") == ["@bob look"]
    assert found(alice, "is:unread") == []
    alice.edit(edited.id, "was edited", mentions=[bob._peer.id])
    pair.settle()
    assert found(bob, "is:mention") == ["was edited", "@bob look"]


def test_stars_are_a_state(alice: Peer) -> None:
    rooms = [alice.create_room(title) for title in ("One", "Two")]
    sent = [rooms[number % 2].send(f"text {number}") for number in range(6)]
    for number in (0, 3):
        rooms[number % 2].star(sent[number].id)
    assert found(alice, "is:starred") == ["text 3", "text 0"]
    assert found(alice, "is:starred in:One") == ["text 0"]
    assert found(rooms[1], "text is:starred") == ["text 3"]
    assert found(alice, "-is:starred -is:unread") == ["text 5", "text 4", "text 2", "text 1"]
    rooms[0].unstar(sent[0].id)
    assert found(alice, "is:starred") == ["text 3"]


def test_what_was_set_aside_is_not_found(pair: Pair) -> None:
    pair.bob.send("text of bob")
    sent = [pair.alice.send(f"text {number}") for number in range(4)]
    pair.settle()
    pair.alice.delete_for_me(sent[1].id)
    assert found(pair.alice, "text") == ["text 3", "text 2", "text 0", "text of bob"]
    assert len(found(pair.bob, "text")) == 5
    pair.alice._peer.block(pair.bob._peer.id)
    assert found(pair.alice, "text") == ["text 3", "text 2", "text 0"]
    assert found(pair.alice._peer, "text", limit=2) == ["text 3", "text 2"]
    assert found(pair.alice, "from:bob") == []
    pair.alice._peer.unblock(pair.bob._peer.id)
    assert found(pair.alice, "from:bob") == ["text of bob"]


def test_filter_by_day(room: Room, clock: FakeClock) -> None:
    days = []
    for number in range(5):
        message = room.send(f"text {number}")
        days.append(_day(message))
        clock.advance(DAY_MS)
    assert found(room, f"text before:{days[2]}") == ["text 1", "text 0"]
    assert found(room, f"text after:{days[2]}") == ["text 4", "text 3"]
    assert found(room, f"after:{days[1]} before:{days[3]}") == ["text 2"]
    assert found(room, f"after:{days[3]} before:{days[1]}") == []
    assert found(room, "before:today after:yesterday") == []
    assert found(room, "before:1971") == []
    assert found(room, "after:0001") == [f"text {n}" for n in (4, 3, 2, 1, 0)]
    assert found(room, "before:9998") == [f"text {n}" for n in (4, 3, 2, 1, 0)]
    assert found(room, "after:9997") == []


# What cannot be


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("in:Nowhere x", "in: no room 'Nowhere' here; rooms: 'Team'"),
        ("from:Nobody x", "nobody here is called 'Nobody'"),
        ('from:"\u200b"', "nobody here is called"),
        ("x", "too short"),
        ("is:big", "no is:big"),
    ],
)
def test_query_that_cannot_be_meant_is_an_error(
    alice: Peer, room: Room, query: str, says: str
) -> None:
    room.send("x")
    with pytest.raises(ValidationError) as error:
        alice.search(query)
    assert says in str(error.value)


def test_arguments_are_checked(room: Room) -> None:
    with pytest.raises(ValidationError, match="limit must be 1 to 1000"):
        room.search("abc", limit=0)
    with pytest.raises(ValidationError, match="limit must be 1 to 1000"):
        room.search("abc", limit=1_001)
    with pytest.raises(ValidationError, match="not a message id"):
        room.search("abc", before="abc")
    with pytest.raises(ValidationError, match="a search must be a str, not int"):
        room.search(7)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="this searches one room"):
        room.search("in:Team abc")


def test_nothing_is_found_where_there_are_no_rooms(alice: Peer) -> None:
    assert alice.search("anything") == []


def test_notes_to_oneself_are_found_like_other_messages(alice: Peer, room: Room) -> None:
    room.send("text for the team")
    alice.notes().send("text for myself")
    for number in range(6):
        room.send(f"other {number}")
    assert found(alice, "text") == ["text for myself", "text for the team"]
    assert found(alice, "text in:notes") == found(alice.notes(), "text") == ["text for myself"]
    assert found(alice, "text -in:notes") == ["text for the team"]
    assert found(alice, "name") == []  # nothing else of what that room keeps


def test_archived_rooms_are_searched_too(alice: Peer, room: Room) -> None:
    room.send("text")
    room.archive()
    assert found(alice, "text") == ["text"]


def test_longest_query_is_answered(room: Room) -> None:
    words = [f"{number * 7919:024}" for number in range(20)]
    room.send(" ".join(words))
    room.send("other")
    assert len(found(room, " ".join(words)[:499])) == 1


def test_hit_has_the_tutorials_form_of_a_message_in_json(room: Room) -> None:
    room.send("Hello World")
    (hit,) = room.search("world")
    shown = json.loads(json.dumps(hit.to_json()))
    assert Message.from_json(shown.pop("message")).text == "Hello World"
    assert shown == {"snippet": "Hello World", "marks": [[6, 11]]}
    assert isinstance(hit, syncchat.Hit)


def _day(message: Message) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(message.sent_at / 1000).strftime("%Y-%m-%d")
