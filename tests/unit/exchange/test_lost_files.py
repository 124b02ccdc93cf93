"""Tests of files whose bytes are not what they should be, are lost, or are deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from syncchat_relay.blobs import Put

from syncchat.core.attachments import Attachment
from syncchat.core.files import FileState
from syncchat.errors import FileAway
from syncchat.exchange import jobs
from syncchat.storage import files as rows
from syncchat.storage import loose
from syncchat.trust.files import FileSeal, blob_name
from syncchat.wire import frames
from tests.support.files import CHUNK, content, small_chunks
from tests.support.peers import ROOM
from tests.support.transfers import Two, Wire, attachment_of, state_of


@pytest.fixture(autouse=True)
def chunks() -> Iterator[None]:
    with small_chunks():
        yield


@pytest.fixture
def two() -> Two:
    return Two()


# Bytes that are not what they should be


def tamper(two: Two, change: Any) -> None:
    """Change every blob that the relay gives."""
    get = two.wire.world.blobs.get

    def changed(room: bytes, name: bytes) -> bytes | None:
        data = get(room, name)
        return None if data is None else change(name, data)

    two.wire.world.blobs.get = changed  # type: ignore[method-assign]
    two.wire.world.hub.forget_recent()


@pytest.mark.parametrize("which", ["manifest", "chunks"])
def test_changed_bytes_are_refused_asked_for_again_and_then_told(two: Two, which: str) -> None:
    message = two.a.attach(content(250))
    (line,) = two.sync(two.alice)
    two.wire.cut(line)
    root = attachment_of(message).root

    def change(name: bytes, data: bytes) -> bytes:
        is_meant = (name == root) is (which == "manifest")
        return data[:-1] + bytes([data[-1] ^ 1]) if is_meant else data

    tamper(two, change)
    two.wire.sent.clear()
    two.sync(two.bob)
    file = two.b.file(message.id)
    assert file.reason == "the relay gave other bytes than those that were sent"
    assert file.done == 0
    counts = Counter(frame.name for frame in two.wire.of(frames.GetBlob))
    assert max(counts.values()) == jobs.TRIES_MAX
    (row,) = rows.all_files(two.bob._db)
    assert row.here == 0


def test_manifest_that_its_sender_made_wrong_is_told_as_such(two: Two) -> None:
    key = bytes(32)
    wrong = FileSeal(key).manifest([bytes(32)] * 5, size=450)
    for size, count in ((450_000, 1), (451, 5)):
        bad = Attachment("x", "text/plain", size, key, blob_name(wrong))
        message = two.a.send("hostile", attachments=[bad.to_value()])
        two.wire.world.blobs.put([Put(ROOM, blob_name(wrong), wrong, b"mallory")])
        lines = two.sync()
        file = two.b.file(message.id)
        assert (file.state, file.reason) == (
            FileState.STOPPED,
            "its sender made it so that it cannot be read",
        ), (size, count)
        for line in lines:
            assert line.exchange.ended is None
            two.wire.cut(line)


@pytest.mark.parametrize("sizes", [(100, 60), (50, 100), (100, 100, 100)])
def test_chunk_that_its_sender_cut_wrong_is_no_part_of_a_file_and_hurts_nothing(
    two: Two, sizes: tuple[int, ...], tmp_path: Path
) -> None:
    """Each has the name that the manifest says, and another length than the size asks for."""
    key, claimed = bytes(32), 200 if len(sizes) == 2 else 260
    seal = FileSeal(key)
    blobs = [seal.chunk(number, content(size, number)) for number, size in enumerate(sizes)]
    manifest = seal.manifest([blob_name(blob) for blob in blobs], size=claimed)
    bad = Attachment("x", "text/plain", claimed, key, blob_name(manifest))
    message = two.a.send("hostile", attachments=[bad.to_value()])
    every = [manifest, *blobs]
    two.wire.world.blobs.put([Put(ROOM, blob_name(blob), blob, b"mallory") for blob in every])
    (line,) = two.sync(two.bob)
    two.sync(two.alice)
    for _ in range(2):
        with pytest.raises(FileAway, match="damaged or gone"):
            two.b.save_file(message.id, tmp_path / "saved")
        two.b.fetch(message.id)
        two.wire.settle()
    assert list(tmp_path.iterdir()) == []
    assert line.exchange.ended is None
    good = two.a.attach(content(250))
    two.wire.settle()
    assert two.b.open_file(good.id).read() == content(250)


# The relay loses files, or peers do


def test_evicted_file_is_fetched_again(two: Two) -> None:
    message = two.a.attach(content(400))
    two.sync()
    two.bob.files.free()
    assert state_of(two.b, message) is FileState.AWAY
    two.b.fetch(message.id)
    two.wire.settle()
    assert two.b.open_file(message.id).read() == content(400)


def test_evicted_file_that_the_relay_has_no_longer_is_labelled_gone(two: Two) -> None:
    message = two.a.attach(content(400))
    two.sync()
    two.bob.files.free()
    two.wire.world.blobs.expire(2**60)
    two.wire.world.hub.forget_recent()
    two.b.fetch(message.id)
    two.wire.settle()
    assert state_of(two.b, message) is FileState.FETCHING
    for _ in range(4):
        two.advance(3_000)
    file = two.b.file(message.id)
    assert (file.state, file.reason) == (
        FileState.GONE,
        "the relay does not have it any more",
    )
    assert two.b.fetch(message.id)[0].state is FileState.FETCHING  # one may try again


def wiped() -> Wire:
    """Return a net whose relay has lost everything."""
    wire = Wire()
    for kept in (wire.world.log, wire.world.hub, wire.world.hub._admission):
        kept._incarnation = b"another!"  # type: ignore[union-attr]
    return wire


def test_relay_that_was_wiped_gets_files_back_from_their_senders(two: Two) -> None:
    message = two.a.attach(content(400))
    lines = two.sync()
    before = two.wire.names()
    assert len(before) == 5
    for line in lines:
        two.wire.cut(line)
    two.bob.files.free()
    two.wire = wiped()
    two.b.fetch(message.id)
    two.sync()
    for _ in range(10):
        two.advance(2_000)
    assert two.wire.names() == before
    assert two.b.open_file(message.id).read() == content(400)


def test_relay_that_was_wiped_gets_files_of_others_who_are_away_after_a_pause(two: Two) -> None:
    two.a.attach(content(400))
    lines = two.sync()
    before = two.wire.names()
    for line in lines:
        two.wire.cut(line)
    two.wire = wiped()
    two.sync(two.bob)
    two.advance(1_000)
    assert two.wire.names() == set()
    for _ in range(20):
        two.advance(2_000)
    assert two.wire.names() == before


def test_relay_that_lost_files_and_no_messages_gets_them_on_the_next_connection(two: Two) -> None:
    two.a.attach(content(400))
    (line,) = two.sync(two.alice)
    before = two.wire.names()
    two.wire.cut(line)
    two.wire.world.blobs.expire(2**60)
    two.sync(two.alice)
    assert two.wire.names() == before


# Deleting for everyone


def test_deleted_file_is_gone_from_both_peers_and_the_relay(two: Two) -> None:
    gone, kept = two.a.attach(content(400)), two.a.attach(content(200, 1))
    two.sync()
    assert len(two.bob._db.packs.names()) == 2
    two.a.delete(gone.id)
    two.wire.settle()
    assert two.b.message(gone.id).deleted
    for peer in (two.alice, two.bob):
        assert len(peer._db.packs.names()) == 1
        assert loose.drops(peer._db, 1, limit=10) == []
    assert len(two.wire.names()) == 3
    assert two.b.open_file(kept.id).read() == content(200, 1)


def test_relay_is_told_of_a_deletion_when_it_is_back(two: Two) -> None:
    message = two.a.attach(content(400))
    for line in two.sync():
        two.wire.cut(line)
    two.a.delete(message.id)
    assert two.alice._db.packs.names() == set()
    assert len(two.wire.names()) == 5
    two.sync(two.alice)
    assert two.wire.names() == set()


def test_file_that_is_deleted_while_it_is_sent_leaves_nothing(two: Two) -> None:
    message = two.a.attach(content(5_000))
    line = two.wire.connect(two.alice)
    while len(two.wire.of(frames.PutBlob)) < 9:
        two.wire.step(line)
        line.exchange.local_changed()
    assert two.wire.names()
    two.a.delete(message.id)
    two.wire.settle()
    two.clocks[0].advance(1_000)
    line.exchange.tick()
    two.wire.settle()
    assert two.wire.names() == set()
    assert two.alice._db.packs.names() == set()


def test_file_that_is_deleted_while_it_comes_leaves_nothing(two: Two) -> None:
    message = two.a.attach(content(5_000))
    (first,) = two.sync(two.alice)
    line = two.wire.connect(two.bob)
    while two.b.count() == 0 or len(line.link.of(frames.BlobData)) < 9:
        two.wire.step(line)
        line.exchange.local_changed()
    two.a.delete(message.id)
    two.wire.settle()
    for _ in range(3):
        two.advance(500)
    assert first.exchange.ended is line.exchange.ended is None
    assert two.bob._db.packs.names() == set()
    assert list(rows.all_files(two.bob._db)) == []
    assert two.wire.names() == set()


def test_file_that_two_messages_show_stays_until_both_are_deleted(two: Two) -> None:
    first = two.a.attach(content(300))
    again = two.a.send("the same", kind="file", attachments=first.attachments)
    two.sync()
    two.a.delete(first.id)
    two.wire.settle()
    assert two.b.open_file(again.id).read() == content(300)
    assert two.a.open_file(again.id).read() == content(300)
    assert len(two.wire.names()) == 4
    two.a.delete(again.id)
    two.wire.settle()
    assert two.wire.names() == set()
    assert two.bob._db.packs.names() == set()


def test_lie_about_the_same_bytes_does_not_spoil_the_file(two: Two) -> None:
    message = two.a.attach(content(300))
    honest = attachment_of(message)
    liar = Attachment(honest.name, honest.type, 10, honest.key, honest.root)
    two.b.send("a lie", attachments=[liar.to_value()])
    two.sync()
    assert two.b.open_file(message.id).read() == content(300)
    assert two.a.open_file(message.id).read() == content(300)
    assert CHUNK == 100
