"""Tests of a room's files on one device: attach, read, save, list, limits, and what goes."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncchat import media
from syncchat.core.attachments import read_attachment
from syncchat.core.files import FileState
from syncchat.errors import (
    FileAway,
    FilesFull,
    NotFoundError,
    StorageError,
    ValidationError,
)
from syncchat.peer import Peer
from syncchat.room import Room
from syncchat.storage import files as rows
from syncchat.storage.packs import FolderPacks
from tests.support.files import CHUNK, content, small_chunks
from tests.support.peers import make_peer


@pytest.fixture(autouse=True)
def chunks() -> Iterator[None]:
    with small_chunks():
        yield


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    with make_peer(1, path=tmp_path / "peer.db") as peer:
        yield peer


@pytest.fixture
def room(peer: Peer) -> Room:
    return peer.create_room("Team")


def packs_of(peer: Peer) -> set[str]:
    return peer._db.packs.names()


# Attaching


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 10 * CHUNK, 12_345])
def test_attached_bytes_are_read_back_as_they_were(room: Room, size: int) -> None:
    message = room.attach(content(size), name="any.bin")
    (file,) = room.files(message.id)
    assert (file.size, file.name, file.state) == (size, "any.bin", FileState.SENDING)
    with room.open_file(message.id) as opened:
        assert opened.read() == content(size)
        opened.seek(-min(size, 7), io.SEEK_END)
        assert opened.read() == content(size)[-min(size, 7) :][: min(size, 7)]


def test_file_can_be_read_from_any_place(room: Room) -> None:
    message = room.attach(content(1_000))
    with room.open_file(message.id) as opened:
        for at, count in ((990, 50), (0, 5), (95, 10), (500, 0), (1_000, 5), (250, 500)):
            assert opened.seek(at) == at
            assert opened.read(count) == content(1_000)[at : at + count]
            assert opened.tell() == min(1_000, at + count)


def test_path_bytes_and_open_files_can_be_attached(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(b"%PDF")
    with path.open("rb") as opened:
        for source, name in ((path, None), (str(path), None), (opened, None), (b"%PDF", "x.pdf")):
            message = room.attach(source, name=name)
            (file,) = room.files(message.id)
            assert file.name == (name or "report.pdf")
            assert file.type == "application/pdf"
            assert room.open_file(message.id).read() == b"%PDF"
    assert room.file(room.attach(io.BytesIO(b"x")).id).name == "file"


def test_what_happens_to_the_source_afterwards_does_not_matter(room: Room, tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(b"before")
    message = room.attach(path)
    path.write_bytes(b"after")
    assert room.open_file(message.id).read() == b"before"
    path.unlink()
    assert room.open_file(message.id).read() == b"before"


def test_message_with_several_files_shows_them_in_order(room: Room) -> None:
    message = room.attach([b"one", b"two", b"three"], text="look at these")
    assert (message.text, message.kind) == ("look at these", "file")
    assert [room.open_file(message.id, place).read() for place in range(3)] == [
        b"one",
        b"two",
        b"three",
    ]
    assert [file.place for file in room.files(message.id)] == [0, 1, 2]


def test_kind_is_that_of_the_files_where_it_is_one(room: Room) -> None:
    assert room.attach(b"x", kind="audio").kind == "audio"
    assert room.attach([b"x", b"y"]).kind == "file"


def test_type_follows_from_the_name() -> None:
    assert media.type_of("a.png") == "image/png"
    assert media.type_of("a.unknown") == media.type_of("") == "application/octet-stream"
    assert media.prepare(None, name="song.mp3") == media.Prepared("file", "audio/mpeg")


def test_progress_is_told_and_can_stop_the_copy(peer: Peer, room: Room) -> None:
    told: list[tuple[int, int]] = []
    room.attach(content(250), progress=lambda done, size: told.append((done, size)))
    assert told == [(100, 250), (200, 250), (250, 250)]

    class Stop(Exception):
        pass

    def stop(done: int, size: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        room.attach(content(250), progress=stop)
    assert room.count() == 1
    assert len(packs_of(peer)) == 1


@pytest.mark.parametrize(
    ("source", "options", "error"),
    [
        ("no such file", {}, NotFoundError),
        (".", {}, NotFoundError),
        (b"x", {"kind": "folder"}, ValidationError),
        (b"x", {"type": "pdf"}, ValidationError),
        (b"x", {"name": ""}, None),
        (b"x", {"name": "   "}, ValidationError),
        (b"x", {"name": "x" * 201}, ValidationError),
        ([], {}, ValidationError),
        ([b"x"] * 33, {}, ValidationError),
        ([b"x", b"y"], {"name": "both"}, ValidationError),
        (5, {}, ValidationError),
        (io.StringIO("text"), {}, ValidationError),
        (b"x", {"reply_to": "nothing"}, ValidationError),
        (b"x", {"metadata": {"long": "x" * 70_000}}, ValidationError),
    ],
)
def test_what_cannot_be_sent_is_refused_and_leaves_nothing(
    peer: Peer, room: Room, source: Any, options: dict[str, Any], error: type[Exception] | None
) -> None:
    if error is None:
        assert room.file(room.attach(source, **options).id).name == "file"
        return
    with pytest.raises(error):
        room.attach(source, **options)
    assert room.count() == 0
    assert packs_of(peer) == set()
    folder = FolderPacks(peer.path).folder
    assert not folder.exists() or list(folder.iterdir()) == []


def test_file_that_cannot_be_read_is_told_as_such(room: Room, tmp_path: Path) -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("the stick was pulled out")

    with pytest.raises(StorageError, match="cannot be read"):
        room.attach(Broken())


def test_killed_before_the_message_was_stored_leaves_nothing_that_stays(tmp_path: Path) -> None:
    with make_peer(1, path=tmp_path / "peer.db") as peer:
        room = peer.create_room("Team")
        kept = room.attach(b"kept")

        class Killed(BaseException):
            pass

        def die(name: str) -> None:
            raise Killed

        writer = peer._db.packs.begin(random=peer._random)
        writer.append(b"under way")
        writer.sync()
        writer.finish("f" * 40)  # and the transaction never came
        assert len(packs_of(peer)) == 2
        with peer._db.atomic():
            from syncchat.storage import loose

            loose.tidy(peer._db, now_ms=peer.now_ms())
        assert len(packs_of(peer)) == 1
        assert room.open_file(kept.id).read() == b"kept"


def test_message_counts_as_sent_where_what_nobody_needs_cannot_be_removed(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was told that it failed wrote it again, and it stood there twice."""
    room.attach(b"taken back")
    room.discard(next(item for item in room.outbox() if item.what == "messages"))

    def fail(packs: FolderPacks, name: str) -> None:
        raise StorageError("somebody is reading it")

    monkeypatch.setattr(FolderPacks, "remove", fail)
    assert room.send("words").text == "words"
    assert [message.text for message in room.messages()] == ["words"]


def test_file_counts_as_sent_where_no_other_can_be_removed_for_it(
    peer: Peer, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = room.attach(b"sent " * 100)
    (row,) = rows.all_files(peer._db)
    with peer._db.atomic():
        rows.note_all_sent(peer._db, row)
    peer.files.set_limits(cache_bytes_max=600)

    def fail(packs: FolderPacks, name: str) -> None:
        raise StorageError("somebody is reading it")

    monkeypatch.setattr(FolderPacks, "remove", fail)
    second = room.attach(b"more " * 100)
    assert [message.id for message in room.messages()] == [first.id, second.id]


# What is kept on the disk


def test_disk_holds_nothing_of_a_file_that_can_be_read(peer: Peer, room: Room) -> None:
    room.attach(b"canary " * 1_000, name="canary.txt", text="words")
    for path in FolderPacks(peer.path).folder.iterdir():
        assert b"canary" not in path.read_bytes()
        assert "canary" not in path.name


def test_chunk_that_was_changed_on_the_disk_is_noticed_and_can_be_fetched(
    peer: Peer, room: Room
) -> None:
    message = room.attach(content(250))
    (pack,) = FolderPacks(peer.path).folder.iterdir()
    raw = bytearray(pack.read_bytes())
    raw[3] ^= 1
    pack.write_bytes(raw)
    with pytest.raises(FileAway, match="bytes are damaged or gone"):
        room.open_file(message.id).read()
    assert room.file(message.id).state is FileState.STOPPED
    assert "lost here before the relay" in room.file(message.id).reason
    assert room.fetch(message.id)[0].state is FileState.FETCHING
    with pytest.raises(FileAway, match="is not here; fetch it first"):
        room.open_file(message.id)


@pytest.mark.parametrize("is_rebuilt", [False, True])
def test_all_that_is_damaged_in_a_file_is_found_at_once(
    peer: Peer, room: Room, *, is_rebuilt: bool
) -> None:
    hurt, well = room.attach(content(450)), room.attach(content(300, 1))
    assert peer.check() == []
    name = rows.pack_name(room.id, read_attachment(hurt.attachments[0]))
    pack = FolderPacks(peer.path).folder / name
    raw = bytearray(pack.read_bytes())
    raw[5] ^= 1  # in the first chunk
    pack.write_bytes(raw[: len(raw) // 2])  # the third is cut off, the others are gone
    (fault,) = peer.check()
    assert f"file {name[:8]}: 4 of 5 chunks are damaged or gone" in fault
    if is_rebuilt:
        peer.rebuild()
    else:
        with pytest.raises(FileAway):
            room.open_file(hurt.id).read()
    assert peer.check() == []
    assert room.file(hurt.id).done == CHUNK
    assert room.file(well.id).state is FileState.SENDING
    assert room.open_file(well.id).read() == content(300, 1)


# Deleting


def test_deleted_message_takes_the_bytes_along(peer: Peer, room: Room) -> None:
    gone, kept = room.attach(content(300)), room.attach(content(300, 1))
    assert len(packs_of(peer)) == 2
    room.delete(gone.id)
    assert len(packs_of(peer)) == 1
    assert room.open_file(kept.id).read() == content(300, 1)
    assert room.files() == [room.file(kept.id)]
    assert len(list(rows.all_files(peer._db))) == 1


def test_rebuilding_what_rooms_show_keeps_files_and_what_is_known_of_them(
    peer: Peer, room: Room
) -> None:
    message = room.attach(content(300))
    room.delete(room.attach(b"gone").id)
    before = room.files(message.id)
    peer.rebuild()
    assert room.files() == before
    assert room.open_file(message.id).read() == content(300)


# Listing


def test_files_of_a_room_are_listed_page_by_page_in_order(room: Room) -> None:
    messages = []
    for number in range(5):
        room.send(f"text {number}")
        messages.append(room.attach([content(10, number), b"second"], text=f"file {number}"))
    ids = [message.id for message in messages]

    def shown(**where: Any) -> list[str]:
        found = room.files(**where)
        assert [file.place for file in found] == [0, 1] * (len(found) // 2)
        return [file.message for file in found[::2]]

    assert shown() == ids
    assert shown(limit=2) == ids[-2:]
    assert shown(before=ids[2], limit=2) == ids[:2]
    assert shown(after=ids[1], limit=2) == ids[2:4]
    with pytest.raises(ValidationError, match="limit must be 1 to"):
        room.files(limit=0)
    with pytest.raises(ValidationError, match="is not a message id"):
        room.files(before="x")


def test_file_that_is_not_there_says_why(room: Room) -> None:
    message = room.send("words", attachments=[{"name": "x", "size": -5}])
    with pytest.raises(NotFoundError, match=r"no file that can be fetched: .* has no size"):
        room.file(message.id, 0)
    with pytest.raises(NotFoundError, match="no attachment 1"):
        room.open_file(message.id, 1)
    with pytest.raises(NotFoundError, match="no file that could be fetched"):
        room.fetch(message.id)
    with pytest.raises(NotFoundError, match="no message"):
        room.file("0" * 26)
    assert room.files() == []


# Saving


def test_file_is_saved_under_a_harmless_name_and_nothing_is_overwritten(
    room: Room, tmp_path: Path
) -> None:
    message = room.attach(b"content", name="../../.evil\u202e\x1b.txt")
    folder = tmp_path / "saved"
    folder.mkdir()
    first = room.save_file(message.id, folder)
    second = room.save_file(message.id, folder)
    assert [path.relative_to(folder) for path in (first, second)] == [
        Path("evil.txt"),
        Path("evil (1).txt"),
    ]
    assert first.read_bytes() == second.read_bytes() == b"content"
    assert sorted(folder.iterdir()) == [second, first]
    with pytest.raises(ValidationError, match="exists; choose another name"):
        room.save_file(message.id, first)
    first.write_bytes(b"other")
    assert room.save_file(message.id, first, overwrite=True) == first
    assert first.read_bytes() == b"content"
    with pytest.raises(StorageError):
        room.save_file(message.id, folder / "missing" / "x.txt")


def test_link_at_the_place_of_a_saved_file_is_not_followed(room: Room, tmp_path: Path) -> None:
    message = room.attach(b"content", name="x.txt")
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "x.txt").symlink_to(victim)
    assert room.save_file(message.id, folder).name == "x (1).txt"
    (folder / "y.txt").symlink_to(tmp_path / "nowhere")
    room.save_file(message.id, folder / "y.txt", overwrite=True)
    assert victim.read_bytes() == b"untouched"
    assert not (tmp_path / "nowhere").exists()


# Limits


def test_limits_are_kept_and_checked(peer: Peer, tmp_path: Path) -> None:
    assert peer.files.limits.automatic_bytes_max > 0
    peer.files.set_limits(automatic_bytes_max=0)
    peer.files.set_limits(cache_bytes_max=5_000)
    with make_peer(1, path=tmp_path / "peer.db") as again:
        limits = again.files.limits
        assert (limits.automatic_bytes_max, limits.cache_bytes_max) == (0, 5_000)
    for bad in (-1, 2**63, "5"):
        with pytest.raises(ValidationError, match="number of bytes"):
            peer.files.set_limits(cache_bytes_max=bad)  # type: ignore[arg-type]


def test_what_waits_to_be_sent_is_never_evicted_and_more_is_refused(peer: Peer, room: Room) -> None:
    peer.files.set_limits(cache_bytes_max=1_000)
    first = room.attach(content(600))
    with pytest.raises(FilesFull, match="400 bytes are left; raise the limit"):
        room.attach(content(500))
    assert room.count() == 1
    assert peer.files.used_bytes == 600
    assert peer.files.free() == 0
    assert room.open_file(first.id).read() == content(600)
    room.attach(content(400))
    peer.files.set_limits(cache_bytes_max=10)  # what is there stays
    assert room.open_file(first.id).read() == content(600)


def sent(peer: Peer) -> None:
    """Have all files count as sent."""
    with peer._db.atomic():
        for file in rows.all_files(peer._db):
            rows.note_all_sent(peer._db, file)


def test_used_least_recently_goes_first_and_says_that_it_is_away(peer: Peer, room: Room) -> None:
    clock: Any = peer._clock
    messages = []
    for number in range(3):
        messages.append(room.attach(content(300, number)))
        clock.advance(1_000)
    sent(peer)
    room.open_file(messages[0].id).read()
    peer.files.set_limits(cache_bytes_max=700)
    states = [room.file(message.id).state for message in messages]
    assert states == [FileState.HERE, FileState.AWAY, FileState.HERE]
    assert peer.files.used_bytes == 600
    assert len(packs_of(peer)) == 2
    assert peer.files.free() == 600
    assert packs_of(peer) == set()
    with pytest.raises(FileAway):
        room.open_file(messages[0].id)


def test_file_that_is_larger_than_all_that_is_kept_is_not_fetched(peer: Peer, room: Room) -> None:
    message = room.attach(content(600))
    sent(peer)
    peer.files.set_limits(cache_bytes_max=500)
    with pytest.raises(FilesFull, match="has 600 bytes, and this peer keeps 500"):
        room.fetch(message.id)


def test_transfers_lists_what_is_on_its_way_or_stopped(peer: Peer, room: Room) -> None:
    one, two = room.attach(b"one"), peer.create_room("Other").attach(b"two")
    assert [file.message for file in peer.files.transfers()] == [one.id, two.id]
    (stopped,) = room.cancel(one.id)
    assert (stopped.state, stopped.reason) == (FileState.STOPPED, "it was cancelled")
    assert [file.state for file in peer.files.transfers()] == [
        FileState.STOPPED,
        FileState.SENDING,
    ]
    assert room.fetch(one.id)[0].state is FileState.SENDING
    sent(peer)
    assert peer.files.transfers() == []


def test_json_of_a_file_has_no_key(room: Room) -> None:
    message = room.attach(b"x", name="a\x1b.txt")
    fields = room.file(message.id).to_json()
    key = message.attachments[0]["key"]
    assert key not in str(fields)
    assert fields["safeName"] == "a.txt"
    assert os.sep not in fields["safeName"]
