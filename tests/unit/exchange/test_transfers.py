"""Tests of files on their way between two peers: order, cuts, and what stops them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from syncchat_relay import Admit, Config
from syncchat_relay.blobs import Quotas

from syncchat.core.files import FileState
from syncchat.events import FileProgress
from syncchat.exchange import jobs, transfers
from syncchat.storage import files as rows
from syncchat.sync import blobs
from syncchat.wire import frames
from tests.support.files import content, small_chunks
from tests.support.transfers import Two, Wire, attachment_of, state_of


@pytest.fixture(autouse=True)
def chunks() -> Iterator[None]:
    with small_chunks():
        yield


@pytest.fixture
def two() -> Two:
    return Two()


# From one to the other


def test_file_comes_to_the_other_by_itself_after_its_message(two: Two) -> None:
    message = two.a.attach(content(1_050), name="x.bin", text="look")
    two.sync()
    assert two.b.message(message.id).text == "look"
    assert two.b.open_file(message.id).read() == content(1_050)
    assert state_of(two.a, message) is state_of(two.b, message) is FileState.HERE
    order = [
        type(frame) for frame in two.wire.sent if isinstance(frame, frames.Push | frames.PutBlob)
    ]
    assert order.index(frames.Push) < order.index(frames.PutBlob)
    assert len(two.wire.of(frames.PutBlob)) == 12  # eleven chunks and the manifest
    first = two.wire.of(frames.PutBlob)[0]
    assert first.name == attachment_of(message).root


def test_relay_and_wire_have_nothing_that_can_be_read(two: Two) -> None:
    two.a.attach(b"canary " * 100, name="canary.txt")
    two.sync()
    blobs = b"".join(frame.data for frame in two.wire.of(frames.PutBlob))
    assert b"canary" not in blobs


def test_empty_file_comes_too(two: Two) -> None:
    message = two.a.attach(b"", name="empty")
    two.sync()
    assert state_of(two.b, message) is FileState.HERE
    assert two.b.open_file(message.id).read() == b""


def test_large_file_waits_until_somebody_asks(two: Two) -> None:
    two.bob.files.set_limits(automatic_bytes_max=500)
    large, small = two.a.attach(content(501)), two.a.attach(content(500, 1))
    two.sync()
    assert state_of(two.b, small) is FileState.HERE
    assert state_of(two.b, large) is FileState.AWAY
    two.b.fetch(large.id)
    two.wire.settle()
    assert two.b.open_file(large.id).read() == content(501)


def test_file_of_an_old_message_does_not_come_by_itself(two: Two) -> None:
    message = two.a.attach(content(300))
    (line,) = two.sync(two.alice)
    two.wire.cut(line)
    for clock in two.clocks:
        clock.advance((rows.AUTOMATIC_DAYS + 1) * 24 * 3600 * 1000)
    two.sync()
    assert state_of(two.b, message) is FileState.AWAY
    two.b.fetch(message.id)
    two.wire.settle()
    assert state_of(two.b, message) is FileState.HERE


def test_file_is_told_as_it_gets_on(two: Two) -> None:
    before = two.bob.cursor
    message = two.a.attach(content(950))
    two.sync()
    events = list(two.bob.happened(before))
    (progress,) = [event for event in events if isinstance(event, FileProgress)]
    assert progress.file == two.b.file(message.id)
    assert (progress.file.done, progress.file.size) == (950, 950)


# Giving way


def test_message_goes_before_the_chunks_that_wait(two: Two) -> None:
    two.a.attach(content(50_000))
    line = two.wire.connect(two.alice)
    while len(two.wire.of(frames.PutBlob)) < 5:
        two.wire.step(line)
        line.exchange.local_changed()
    two.a.send("this cannot wait")
    line.exchange.local_changed()
    first, *_ = line.exchange.outgoing()
    assert isinstance(frames.decode(first), frames.Push)
    (then,) = line.exchange.outgoing()  # alone, so that the next message finds its way
    assert isinstance(frames.decode(then), frames.PutBlob)


def test_no_more_chunks_are_under_way_than_the_window_has(two: Two) -> None:
    two.a.attach(content(20_000))
    line = two.wire.connect(two.alice)
    two.wire.is_deaf = True
    while two.wire.step(line):
        line.exchange.local_changed()
    two.wire.is_deaf = False
    under_way = 0
    for _ in range(60):
        out = line.exchange.outgoing()
        under_way += sum(isinstance(frames.decode(raw), frames.PutBlob) for raw in out)
        for raw in out:
            two.wire.world.send_raw(line.link, raw)
    assert under_way <= blobs.WINDOW_MAX


def test_small_file_does_not_wait_for_a_large_one(two: Two) -> None:
    large, small = two.a.attach(content(50_000)), two.a.attach(content(250, 1))
    two.wire.connect(two.alice).exchange.local_changed()
    while state_of(two.a, small) is FileState.SENDING:
        assert two.wire.step(two.wire.lines[0])
        two.clocks[0].advance(10)
    assert state_of(two.a, large) is FileState.SENDING


# Cuts


def test_upload_goes_on_after_a_cut_and_sends_nothing_twice(two: Two) -> None:
    message = two.a.attach(content(5_000))
    for _ in range(60):
        line = two.wire.connect(two.alice)
        for _ in range(8):
            two.wire.step(line)
            line.exchange.local_changed()
        two.wire.cut(line)
        if state_of(two.a, message) is FileState.HERE:
            break
    counts = Counter(frame.name for frame in two.wire.of(frames.PutBlob))
    assert len(counts) == 51
    assert set(counts.values()) == {1}
    assert state_of(two.a, message) is FileState.HERE


def test_download_goes_on_after_a_cut_and_loses_nothing_that_came(two: Two) -> None:
    message = two.a.attach(content(5_000))
    (line,) = two.sync(two.alice)
    two.wire.cut(line)
    came: Counter[bytes] = Counter()
    for _ in range(60):
        line = two.wire.connect(two.bob)
        for _ in range(6):
            two.wire.step(line)
            line.exchange.local_changed()
        came.update(
            f.data for f in line.link.frames[: line.taken] if isinstance(f, frames.BlobData)
        )
        two.wire.cut(line)
        if state_of(two.b, message) is FileState.HERE:
            break
    assert set(came.values()) == {1}
    assert two.b.open_file(message.id).read() == content(5_000)


def test_killed_process_finds_the_chunks_again_that_it_had_not_counted(
    two: Two,
) -> None:
    message = two.a.attach(content(2_000))
    (line,) = two.sync(two.alice)
    two.wire.cut(line)
    line = two.wire.connect(two.bob)
    while two.b.count() == 0 or len(line.link.of(frames.BlobData)) < 6:
        two.wire.step(line)
    (file,) = rows.all_files(two.bob._db)
    assert file.here == 0  # nothing was stored yet
    two.wire.cut(line)  # and the process with it
    two.wire.sent.clear()
    two.sync(two.bob)
    asked = {frame.name for frame in two.wire.of(frames.GetBlob)}
    (file,) = rows.all_files(two.bob._db)
    assert file.is_whole
    assert len(asked) <= 20 - 5
    assert two.b.open_file(message.id).read() == content(2_000)


# What stops a file


def test_refused_upload_says_why_rests_and_is_tried_again(two: Two) -> None:
    quota = Two(Wire(config=Config(admission=Admit.OPEN, room_blob_bytes_max=500)))
    message = quota.a.attach(content(1_000))
    quota.sync(quota.alice)
    file = quota.a.file(message.id)
    assert file.state is FileState.STOPPED
    assert file.reason == "the relay keeps no more files for this room"
    text = quota.a.send("messages go on")
    quota.wire.settle()
    assert quota.a.outbox() == []
    assert text.id
    quota.wire.sent.clear()
    for _ in range(6):
        quota.advance(10_000)
    assert quota.wire.of(frames.PutBlob) == []
    quota.wire.world.blobs._quotas = Quotas(10**6, 10**6)  # type: ignore[attr-defined]
    for _ in range(transfers.AGAIN_MS // 10_000):
        quota.advance(10_000)
    assert state_of(quota.a, message) is FileState.HERE


def test_refused_upload_is_tried_again_at_once_when_somebody_says_so(two: Two) -> None:
    quota = Two(Wire(config=Config(admission=Admit.OPEN, blob_bytes_max=0)))
    message = quota.a.attach(content(1_000))
    quota.sync(quota.alice)
    assert quota.a.file(message.id).reason == "the relay has no space for files"
    quota.wire.world.blobs._quotas = Quotas(10**6, 10**6)  # type: ignore[attr-defined]
    quota.a.fetch(message.id)
    quota.wire.settle()
    assert state_of(quota.a, message) is FileState.HERE


def test_relay_that_does_not_answer_about_files_stops_files_and_nothing_else(two: Two) -> None:
    message = two.a.attach(content(300))
    two.wire.is_deaf = True
    (line,) = two.sync(two.alice)
    for _ in range(8):
        two.advance(10_000)
    assert line.exchange.ended is None
    file = two.a.file(message.id)
    assert (file.state, file.reason) == (
        FileState.SENDING,
        "the relay does not answer about files",
    )
    two.a.send("goes on")
    two.wire.settle()
    assert two.a.outbox() == []
    two.wire.is_deaf = False
    two.wire.cut(line)
    two.sync()
    assert state_of(two.b, message) is FileState.HERE
    assert two.a.file(message.id).reason == ""


def test_file_whose_sender_is_away_comes_when_they_are_back(two: Two) -> None:
    message = two.a.attach(content(1_000))
    line = two.wire.connect(two.alice)
    while not two.wire.of(frames.PutBlob):
        two.wire.step(line)
        line.exchange.local_changed()
    two.wire.cut(line)
    two.sync(two.bob)
    file = two.b.file(message.id)
    assert (file.state, file.reason) == (
        FileState.FETCHING,
        "its sender has not sent all of it yet",
    )
    two.wire.sent.clear()
    two.sync(two.alice)
    assert two.b.open_file(message.id).read() == content(1_000)  # at once, by the relay's news


def test_files_that_nobody_sends_do_not_keep_others_from_coming(two: Two) -> None:
    for number in range(transfers.ACTIVE_MAX + 3):
        message = two.a.attach(content(100, number))
        two.a.cancel(message.id)
    (line,) = two.sync(two.alice)
    two.sync(two.bob)
    good = two.a.attach(content(300, 99))
    two.wire.settle()
    assert state_of(two.b, good) is FileState.HERE
    assert line.exchange.ended is None


def test_sender_that_never_comes_back_is_asked_about_seldom(two: Two) -> None:
    message = two.a.attach(content(100))
    two.a.cancel(message.id)
    two.sync()
    for _ in range(240):
        two.advance(5_000)
    asked = len(two.wire.of(frames.GetBlob))
    assert jobs.WAITS_MAX < asked < 3 * jobs.WAITS_MAX
    assert two.b.file(message.id).state is FileState.FETCHING


def test_cancelled_upload_stops_and_goes_on_when_somebody_says_so(two: Two) -> None:
    message = two.a.attach(content(30_000))
    line = two.wire.connect(two.alice)
    while len(two.wire.of(frames.PutBlob)) < 5:
        two.wire.step(line)
        line.exchange.local_changed()
    two.a.cancel(message.id)
    two.wire.settle()
    assert 5 <= len(two.wire.of(frames.PutBlob)) < 300
    assert two.a.file(message.id).reason == "it was cancelled"
    two.a.fetch(message.id)
    two.wire.settle()
    assert state_of(two.a, message) is FileState.HERE
    counts = Counter(frame.name for frame in two.wire.of(frames.PutBlob))
    assert set(counts.values()) == {1}


def test_cancelled_download_stops_and_keeps_what_came(two: Two) -> None:
    message = two.a.attach(content(30_000))
    (line,) = two.sync(two.alice)
    two.wire.cut(line)
    line = two.wire.connect(two.bob)
    while two.b.count() == 0 or not two.b.file(message.id).done:
        two.wire.step(line)
        line.exchange.local_changed()
    (file,) = two.b.cancel(message.id)
    assert file.state is FileState.AWAY and 0 < file.done < 30_000
    two.wire.settle()
    assert state_of(two.b, message) is FileState.AWAY
    asked = {frame.name for frame in two.wire.of(frames.GetBlob)}
    assert len(asked) < 300
    two.b.fetch(message.id)
    two.wire.settle()
    assert two.b.open_file(message.id).read() == content(30_000)
