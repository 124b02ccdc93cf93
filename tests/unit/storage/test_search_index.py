"""The search index follows the messages in their transactions, and forgets what they forget."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

import syncchat
from syncchat.core.fold import Shown
from syncchat.core.values import Root, decode_value
from syncchat.errors import DatabaseDamaged, StorageError
from syncchat.exchange.batch import refold_room
from syncchat.room import Room
from syncchat.storage import database
from syncchat.storage.database import Database, SearchSizes
from syncchat.storage.locks import KeyFile
from syncchat.storage.rooms import load_room
from syncchat.storage.view import index
from syncchat.storage.view.messages import shown_of, stored_rows

FORMAT_1 = Path(__file__).parents[2] / "vectors" / "peer_format_1.sql"
SECRET = "ξψω"
"""Three letters that stand next to each other in no other text."""


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two messages outside of the index, and others get in three at a time."""
    monkeypatch.setattr(Database, "search_sizes", SearchSizes(few=2, step=3, many=20, back=1))


@pytest.fixture
def room(tmp_path: Path, small: None) -> Iterator[Room]:
    with syncchat.open(tmp_path / "alice.db", name="Alice") as peer:
        yield peer.create_room("Team")


def found(room: Room, query: str) -> list[str]:
    return [hit.message.text for hit in room.search(query, newest=True, limit=1_000)]


def upto(room: Room) -> int:
    return index.indexed_upto(room._peer._db)


def stored(room: Room) -> bytes:
    """Return all that SQLite keeps of the index."""
    rows = room._peer._db.rows("select block from search_text_data")
    return b"".join(bytes(block) for (block,) in rows)


def files(room: Room) -> bytes:
    """Return all that is in the files of the database."""
    path = room._peer.path
    return b"".join(each.read_bytes() for each in sorted(path.parent.glob(f"{path.name}*")))


def test_messages_get_in_by_steps_and_the_last_stay_out(room: Room) -> None:
    seen = set()
    for number in range(12):
        room.send(f"text {number}")
        seen.add((number + 1, upto(room)))
    assert [(n, u) for n, u in sorted(seen) if n in (4, 5, 7, 8, 11)] == [
        (4, 0),
        (5, 3),
        (7, 3),
        (8, 6),
        (11, 9),
    ]
    assert found(room, "text") == [f"text {n}" for n in reversed(range(12))]
    assert room._peer.check() == []


def test_many_that_come_at_once_stay_out_until_there_are_too_many(room: Room) -> None:
    db = room._peer._db
    for _ in range(30):
        room.send("one")
    with db.atomic():
        index.Index(db).clear()
    for came, taken in ((10, 10), (10, 10), (3, 13), (25, 13)):  # of 30; 20 are too many
        with db.atomic():
            index.Index(db).settle(came)
        assert upto(room) == taken
    with db.atomic():
        index.Index(db).clear()
        index.Index(db).settle(28)
    assert upto(room) == 28
    assert len(found(room, "one")) == 30
    assert room._peer.check() == []


def test_index_is_completed_in_bounded_transactions(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "CHUNK", 4)
    for number in range(11):
        room.send(f"text {number}")
    db = room._peer._db
    with db.atomic():
        index.Index(db).clear()
    index.complete(db)
    assert upto(room) == 9
    assert room._peer.check() == []


def test_edited_message_is_found_by_its_new_words_only(room: Room) -> None:
    sent = [room.send(f"old words {number}") for number in range(8)]
    room.edit(sent[0].id, "quite other ones")
    room.edit(sent[7].id, "quite fresh ones")
    assert found(room, "quite") == ["quite fresh ones", "quite other ones"]
    assert found(room, "old") == [f"old words {n}" for n in reversed(range(1, 7))]
    assert room._peer.check() == []


def test_deleted_message_is_found_no_more(room: Room) -> None:
    sent = [room.send(f"words {number}") for number in range(8)]
    room.delete(sent[0].id)
    room.delete(sent[7].id)
    assert found(room, "words") == [f"words {n}" for n in reversed(range(1, 7))]
    assert room._peer.check() == []


def test_index_outlives_any_number_of_late_changes(room: Room) -> None:
    """SQLite 3.40 fails at the 2,001st round of merging an index of more than a page or two."""
    db = room._peer._db
    db.execute("pragma synchronous = off")
    with db.atomic(durable=False):
        for number in range(100):
            room.send(f"words and {sha256(bytes((number,))).hexdigest()}")
    (raw,) = db.execute("select value from message where id = 1").fetchone()
    value = decode_value(Root.MESSAGES, raw)
    (first,) = room.messages(limit=100)[:1]
    texts = [value.text, "quite another text"]
    begun = 0
    for number in range(2_200):
        before, after = (
            Shown(first.id, value=value, text=texts[(number + at) % 2]) for at in (0, 1)
        )
        with db.atomic(durable=False):
            changed = index.Index(db)
            changed.change(1, before, after)
            changed.settle(0)
        if upto(room) == 0:
            begun += 1
            index.complete(db)
            assert upto(room) == 98
    assert begun == (2 if sqlite3.sqlite_version_info < (3, 41) else begun)
    assert index._levels(db) < index.LEVELS_MAX
    assert len(found(room, "words")) == 100
    assert room._peer.check() == []


@pytest.mark.parametrize("is_open", [True, False])
def test_index_that_cannot_be_read_is_a_fault_that_a_rebuild_mends(
    tmp_path: Path, small: None, is_open: bool
) -> None:
    path = tmp_path / "broken.db"
    with syncchat.open(path, name="Alice") as peer:
        room = peer.create_room("Team")
        sent = [room.send(f"words {number}") for number in range(9)]
        with peer._db.atomic():
            peer._db.execute(
                "update search_text_data set block = ? where id = 10",
                (b"\xff\xff\xff\xff" + b"\xff" * 40,),  # far more levels than SQLite reads
            )
        if is_open:
            with pytest.raises(DatabaseDamaged):
                room.edit(sent[0].id, "other words")
            assert peer.check() != []
            peer.rebuild()
            assert peer.check() == []
    with syncchat.open(path) as peer:
        (room,) = peer.rooms()
        if not is_open:
            (fault,) = peer.check()
            assert "doctor --rebuild" in fault
            peer.rebuild()
        assert peer.check() == []
        room.edit(sent[0].id, "other words")
        assert len(found(room, "words")) == 9
        assert peer.check() == []


def test_nothing_of_what_was_deleted_stays_when_the_index_is_begun_anew(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "LEVELS_MAX", 1)
    sent = [room.send(f"{SECRET} or not"), *(room.send(f"words {n}") for n in range(7))]
    assert upto(room) == 6
    assert "ξψω".encode() in stored(room)
    room.delete(sent[0].id)
    assert upto(room) == 0
    assert SECRET.encode() not in stored(room)
    assert SECRET.encode() not in files(room)
    assert len(found(room, "words")) == 7
    assert room._peer.check() == []


@pytest.mark.parametrize("count", [0, 1, 5, 127, 128, 999, 1_000, 1_999])
@pytest.mark.parametrize("mark", [b"", b"\xff\x00\x00\x01"])
def test_levels_are_read_from_the_record_as_sqlite_writes_it(
    room: Room, count: int, mark: bytes
) -> None:
    number = bytes((count,)) if count < 128 else bytes((0x80 | count >> 7, count & 0x7F))
    with room._peer._db.atomic():
        room._peer._db.execute(
            "update search_text_data set block = ? where id = 10",
            (bytes(4) + mark + number + bytes(2 + 2 * count),),
        )
    assert index._levels(room._peer._db) == count


def test_message_in_the_place_of_one_taken_back_is_found(room: Room) -> None:
    sent = [room.send(f"first {number}") for number in range(9)]
    for message in sent[2:]:
        room.delete(message.id)
    assert upto(room) == 2
    for number in range(9):
        room.send(f"second {number}")
    assert len(found(room, "second")) == 9
    assert found(room, "first") == ["first 1", "first 0"]
    assert room._peer.check() == []


def test_room_that_is_folded_anew_is_found_as_before(room: Room) -> None:
    other = room._peer.create_room("Other")
    for number in range(9):
        room.send(f"text {number}")
        other.send(f"other {number}")
    peer, row = room._peer, load_room(room._peer._db, room._row)
    with peer._db.atomic():
        refold_room(peer._db, row, me=peer.device, now_ms=peer.now_ms())
    assert found(room, "text") == [f"text {n}" for n in reversed(range(9))]
    assert found(other, "other") == [f"other {n}" for n in reversed(range(9))]
    assert peer.check() == []


def test_nothing_of_a_changed_text_stays_in_the_file(room: Room) -> None:
    sent = [room.send(f"{SECRET} plan" if n == 3 else f"text {n}") for n in range(9)]
    assert SECRET.encode() in stored(room)
    room.edit(sent[3].id, "no plan")
    assert SECRET.encode() not in stored(room)
    assert room._peer.check() == []


def test_what_this_very_transaction_took_out_is_erased_too(room: Room) -> None:
    sent = [room.send(f"{SECRET} plan" if n == 3 else f"text {n}") for n in range(9)]
    db = room._peer._db
    (row,) = stored_rows(db, room._row, [sent[3].id])
    before = shown_of(row)
    with db.atomic():
        changed = index.Index(db)
        changed.change(row.id, before, None)
        changed.settle(0)
    assert SECRET.encode() not in stored(room)


@pytest.mark.parametrize("pages", [1, 2, 64])
def test_erasing_goes_on_with_the_next_messages_where_it_takes_long(
    room: Room, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    monkeypatch.setattr(index, "ERASED_PAGES", pages)
    db = room._peer._db
    sent = [
        room.send(f"{SECRET} plan {n}" if n % 40 == 3 else f"{n * 7919} text {n * 104729} {n}")
        for n in range(400)
    ]
    for message in sent[3::40]:
        room.edit(message.id, "nothing")
    for number in range(200):
        room.send(f"more {number}")
        if db.row("select erasing from search_state") == (0,):
            break
    else:
        raise AssertionError("erasing never ends")
    assert SECRET.encode() not in stored(room)
    assert room._peer.check() == []
    assert found(room, SECRET) == []
    assert SECRET.encode() not in files(room)


def test_search_looks_at_messages_not_only_at_the_index(room: Room) -> None:
    for number in range(9):
        room.send(f"text {number}")
    db = room._peer._db
    with db.atomic():
        db.execute("insert into search_text (search_text) values ('delete-all')")
        db.execute(
            "insert into search_text (rowid, text, facets) values (1, ' something else ', '')"
        )
    assert found(room, "something") == []


@pytest.mark.parametrize(
    "damage",
    [
        "insert into search_text (rowid, text, facets) values (99, ' more ', '')",
        "insert into search_text (search_text, rowid, text, facets) "
        "values ('delete', 2, ' text 1 ', '')",
        "insert into search_text (search_text) values ('delete-all')",
        "update search_state set upto = 7",
        "update message set edited = 'changed behind its back', edited_at = message where id = 2",
    ],
)
def test_doctor_sees_that_the_index_is_not_that_of_the_messages(room: Room, damage: str) -> None:
    for number in range(8):
        room.send(f"text {number}")
    peer = room._peer
    assert peer.check() == []
    with peer._db.atomic():
        peer._db.execute(damage)
    assert any("search index is not that of the messages" in fault for fault in peer.recount())
    peer.rebuild()
    assert peer.check() == []
    assert len(found(room, "text")) == 8


def test_database_of_before_is_searched_at_once(tmp_path: Path, small: None) -> None:
    path = tmp_path / "peer.db"
    connection = sqlite3.connect(path)
    connection.executescript(FORMAT_1.read_text(encoding="utf-8"))
    connection.close()
    with syncchat.open(path) as peer:
        (room,) = peer.rooms()
        assert found(room, "kep") == ["kept"]
        assert upto(room) == 0
        peer.rebuild()
        assert found(room, "kep") == ["kept"]
        assert peer.check() == []


def test_encrypted_copy_has_the_index_with_it(tmp_path: Path, small: None) -> None:
    path, key = tmp_path / "alice.db", KeyFile.make(tmp_path / "key")
    with syncchat.open(path, name="Alice") as peer:
        room = peer.create_room("Team")
        for number in range(9):
            room.send(f"text {number}")
    syncchat.change_key(path, old=None, new=key)
    with syncchat.open(path, key=key) as peer:
        room = peer.room("Team")
        assert found(room, "text") == [f"text {n}" for n in reversed(range(9))]
        for number in range(9):
            room.send(f"{SECRET} {number}")
        room.edit(room.messages()[-5].id, "no more of it")
        assert len(found(room, SECRET)) == 8
        assert peer.check() == []


def test_sqlite_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SQLITE_MIN", (99, 1, 0))
    with pytest.raises(StorageError, match=r"comes with SQLite 3\.\d+.*needs 99\.1 or later"):
        syncchat.open(":memory:")


def test_sqlite_without_full_text_search_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lacking(sqlite3.Connection):
        def execute(self, sql: str, values: object = ()) -> sqlite3.Cursor:
            return super().execute(sql.replace("'fts5'", "'fts99'"), values)  # type: ignore[arg-type]

    monkeypatch.setattr(
        Database, "_connect", lambda self: Lacking(":memory:", isolation_level=None)
    )
    with pytest.raises(StorageError, match=r"built without full-text search \(FTS5\)"):
        syncchat.open(":memory:")
