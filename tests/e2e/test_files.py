"""Files over real sockets, files and processes: cuts, kills, deletions, quotas, and what waits."""

from __future__ import annotations

import asyncio
import hashlib
import io
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import syncchat_relay
from PIL import Image
from PIL.ExifTags import IFD

import syncchat
from syncchat import FileState, KeyFile, Peer, Room
from syncchat.ports import SystemRandom
from syncchat.sync import backoff
from syncchat.trust.files import chunk_bytes
from tests.e2e.programs import RelayProgram, json_lines, two_people
from tests.e2e.programs import syncchat as command
from tests.e2e.proxy import proxy_to
from tests.e2e.support import all_online, running_relay, until
from tests.unit.media.samples import CANARY as PLACE
from tests.unit.media.samples import LATITUDE, photograph, sound

CANARY = b"A canary that nobody else may see. "
MIB = 2**20


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let peers connect again at once."""
    monkeypatch.setattr(backoff, "FIRST_MS", 5)
    monkeypatch.setattr(backoff, "MOST_MS", 20)


@contextmanager
def team(folder: Path, relay: str) -> Iterator[tuple[Peer, Peer, Room, Room]]:
    """Give two people in a room, whose files come by themselves whatever their size."""
    with (
        syncchat.open(folder / "a.db", name="Alice") as alice,
        syncchat.open(folder / "b.db", name="Bob") as bob,
    ):
        a = alice.create_room("Team", relay=relay)
        b = bob.join(a.invite())
        bob.files.set_limits(automatic_bytes_max=2**40)
        yield alice, bob, a, b


def is_here(room: Room, message: str) -> Callable[[], bool]:
    def look() -> bool:
        files = room.files(limit=1000)
        return any(f.message == message and f.state is FileState.HERE for f in files)

    return look


def is_there(room: Room, message: str) -> bool:
    return any(shown.id == message for shown in room.messages())


def content(size: int) -> bytes:
    return (CANARY + SystemRandom().bytes(997)) * (size // 1_000) + bytes(size % 1_000)


def holding(folder: Path, words: bytes) -> list[Path]:
    """Return the files of a folder in which words can be read."""
    every = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in every if words in path.read_bytes()]


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def test_file_follows_its_message_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    with (
        running_relay(tmp_path / "relay") as relay,
        team(tmp_path, relay.url) as (alice, bob, a, b),
    ):
        sent = content(3 * MIB)
        (tmp_path / "report.pdf").write_bytes(sent)
        message = a.attach(tmp_path / "report.pdf", text="have a look")  # offline
        (tmp_path / "report.pdf").unlink()
        async with all_online([alice, bob]):
            await until(lambda: b.count() == 1, what="the message")
            await until(is_here(b, message.id), what="the file")
            await until(is_here(a, message.id), what="word of it")
        saved = b.save_file(message.id, tmp_path)
        assert (saved.name, saved.read_bytes()) == ("report.pdf", sent)
        (tmp_path / "report.pdf").unlink()
        assert holding(tmp_path, CANARY[:20]) == []


async def test_picture_and_voice_message_arrive_described_and_tell_nothing_else(
    tmp_path: Path,
) -> None:
    raw = photograph(tmp_path / "photo.jpg").read_bytes()
    assert PLACE.encode() in raw
    assert LATITUDE in raw
    with (
        running_relay(tmp_path / "relay") as relay,
        team(tmp_path, relay.url) as (alice, bob, a, b),
    ):
        picture = a.attach(tmp_path / "photo.jpg")
        memo = a.send_voice(sound(tmp_path / "memo.wav", seconds=2))
        async with all_online([alice, bob]):
            await until(is_here(b, picture.id), what="the picture")
            await until(is_here(b, memo.id), what="the voice message")
        seen = b.file(picture.id)
        received = b.open_file(picture.id).read()
        assert PLACE.encode() not in received
        assert LATITUDE not in received
        assert Image.open(io.BytesIO(received)).getexif().get_ifd(IFD.GPSInfo) == {}
        assert (seen.kind, seen.size) == ("image", len(received))
        assert (seen.attachment.width, seen.attachment.height) == (400, 200)
        assert seen.attachment.thumb is not None
        assert len(seen.attachment.thumb) <= 64 * 1024
        heard = b.file(memo.id)
        assert (heard.kind, heard.attachment.duration_ms) == ("audio", 2_000)
        assert heard.attachment.waveform
        assert b.message(memo.id).metadata == {"voice": True}
        kept = b.message(picture.id).attachments[0]["thumb"].encode()
        assert holding(tmp_path, kept)
        async with all_online([alice, bob]):
            a.delete(picture.id)
            await until(lambda: b.message(picture.id).deleted, what="the deletion", seconds=5)
        for room in (a, b):
            assert room.message(picture.id).attachments == ()
            (thumbs,) = room._peer._db.execute(
                "select count(*) from message where instr(value, ?)", (kept.decode(),)
            ).fetchone()
            assert thumbs == 0


async def test_forwarded_file_comes_to_who_was_not_in_the_room(tmp_path: Path) -> None:
    sent = content(3 * MIB)
    with (
        running_relay(tmp_path / "relay") as relay,
        team(tmp_path, relay.url) as (alice, bob, a, b),
        syncchat.open(tmp_path / "c.db", name="Carol") as carol,
    ):
        other = bob.create_room("Elsewhere", relay=relay.url)
        c = carol.join(other.invite())
        message = a.attach(sent)
        async with all_online([alice, bob, carol]):
            await until(is_here(b, message.id), what="the file")
            passed = b.forward(message.id, to=other)
            await until(is_here(c, passed.id), what="the forwarded file")
            a.delete(message.id)
            await until(lambda: b.message(message.id).deleted, what="the deletion")
        assert c.open_file(passed.id).read() == sent
        assert other.open_file(passed.id).read() == sent
        assert c.message(passed.id).attachments == message.attachments


async def test_connection_that_is_cut_again_and_again_loses_at_most_a_chunk_each_time(
    tmp_path: Path, eager: None
) -> None:
    chunks, through = 60, 10
    async with (
        syncchat_relay.serve(data_dir=tmp_path / "relay") as relay,
        proxy_to(relay.port) as proxy,
    ):
        with team(tmp_path, proxy.url) as (alice, bob, a, b):
            async with alice.online():
                await a.synced()
                before = proxy.connections
                proxy.budget = lambda: through * chunk_bytes()
                proxy.cut_all()
                sent = content(chunks * chunk_bytes())
                message = a.attach(sent)
                await until(is_here(a, message.id), what="the upload")
                assert proxy.cuts >= chunks // through - 1
                # Of each connection all arrived but a chunk that was cut, and what is no chunk.
                assert proxy.connections - before <= 1 + chunks // (through - 2)
            before = proxy.connections
            async with bob.online():
                await until(is_here(b, message.id), what="the download")
            assert proxy.connections - before <= 1 + chunks // (through - 2)
        with syncchat.open(tmp_path / "b.db") as bob:
            assert bob.rooms()[0].open_file(message.id).read() == sent


async def test_killed_relay_and_receiver_go_on_where_they_were(tmp_path: Path, eager: None) -> None:
    sent = content(40 * MIB)
    with (
        running_relay(tmp_path / "relay") as relay,
        team(tmp_path, relay.url) as (alice, bob, a, b),
    ):
        async with all_online([alice, bob]):
            await a.synced()
            message = a.attach(sent)
            await until(lambda: any(f.done > 4 * MIB for f in b.files()), what="a part of it")
            relay.signal(signal.SIGKILL)
            relay.wait()
            done = b.files()[0].done
            assert done < len(sent)
        with running_relay(tmp_path / "relay", port=relay.port, name="again"):
            async with all_online([alice, bob]):
                await until(is_here(b, message.id), what="the file")
        assert hashlib.sha256(b.open_file(message.id).read()).digest() == (
            hashlib.sha256(sent).digest()
        )


async def test_text_does_not_wait_for_a_large_file(tmp_path: Path) -> None:
    """Through a line of about 8 MB a second, on which the whole file takes a long time."""
    async with (
        syncchat_relay.serve(data_dir=tmp_path / "relay") as relay,
        proxy_to(relay.port) as proxy,
    ):
        with team(tmp_path, proxy.url) as (alice, bob, a, b):
            async with all_online([alice, bob]):
                await a.synced()
                await b.synced()
                a.attach(content(200 * MIB))
                await until(lambda: a.files()[0].done > MIB, what="a part of it")
                for number in range(5):
                    sent = a.send(f"text {number}").id
                    await until(partial(is_there, b, sent), what="a text")
                    assert a.files()[0].state is FileState.SENDING


async def test_deleted_file_is_gone_from_peers_and_relay_within_five_seconds(
    tmp_path: Path,
) -> None:
    with (
        running_relay(tmp_path / "relay") as relay,
        team(tmp_path, relay.url) as (alice, bob, a, b),
    ):
        async with all_online([alice, bob]):
            message = a.attach(content(5 * MIB))
            await until(is_here(b, message.id), what="the file")
            await until(is_here(a, message.id), what="word of it")
            places = (
                tmp_path / "a.db.files",
                tmp_path / "b.db.files",
                tmp_path / "relay" / "blobs",
            )
            assert all(bytes_below(place) >= 5 * MIB for place in places)
            a.delete(message.id)
            await until(
                lambda: all(bytes_below(place) == 0 for place in places),
                what="the end of its bytes",
                seconds=5,
            )


async def test_deleted_message_leaves_no_word_hit_thumbnail_or_byte_at_any_online_peer(
    tmp_path: Path,
) -> None:
    picture = photograph(tmp_path / "photo.jpg").read_bytes()
    (tmp_path / "photo.jpg").unlink()
    with (
        running_relay(tmp_path / "relay") as relay,
        team(tmp_path, relay.url) as (alice, bob, a, b),
        syncchat.open(tmp_path / "c.db", name="Carol") as carol,
    ):
        carol.files.set_limits(automatic_bytes_max=2**40)
        rooms = (a, b, carol.join(a.invite()))
        async with all_online([alice, bob, carol]):
            message = a.attach(picture, name="photo.jpg", text="a canary in words")
            for room in rooms:
                await until(is_here(room, message.id), what="the picture")
            thumb = a.message(message.id).attachments[0]["thumb"].encode()
            words = b"a canary in words"
            for peer in (alice, bob, carol):
                assert [hit.message.id for hit in peer.search("canar")] == [message.id]
            assert {path.name[0] for path in holding(tmp_path, words)} == set("abc")
            assert {path.name[0] for path in holding(tmp_path, thumb)} == set("abc")
            a.delete(message.id)

            def is_gone() -> bool:
                return (
                    all(room.message(message.id).deleted for room in rooms)
                    and all(room.message(message.id).text == "" for room in rooms)
                    and not any(peer.search("canar") for peer in (alice, bob, carol))
                    and not any(bytes_below(tmp_path / f"{x}.db.files") for x in "abc")
                    and bytes_below(tmp_path / "relay" / "blobs") == 0
                    and holding(tmp_path, words) == holding(tmp_path, thumb) == []
                )

            await until(is_gone, what="the end of all of it", seconds=5)


async def test_relay_that_is_full_says_so_and_words_go_on(tmp_path: Path) -> None:
    options = ("--room-files-max", "0.003")
    with (
        running_relay(tmp_path / "relay", options=options) as relay,
        team(tmp_path, relay.url) as (alice, bob, a, b),
    ):
        async with all_online([alice, bob]):
            small, large = a.attach(content(MIB)), a.attach(content(5 * MIB))
            await until(is_here(b, small.id), what="the small file")
            await until(lambda: a.file(large.id).state is FileState.STOPPED, what="the refusal")
            assert a.file(large.id).reason == "the relay keeps no more files for this room"
            a.send("words")
            await until(lambda: b.count() == 3, what="the words")
            assert a.open_file(large.id).read(10)
            a.delete(small.id)
            a.delete(large.id)
            fits = a.attach(content(2 * MIB))
            await until(is_here(b, fits.id), what="a file that fits again")


def test_two_processes_on_one_database_send_and_see_each_others_files(tmp_path: Path) -> None:
    relay = RelayProgram(tmp_path / "relay")
    relay.start()
    try:
        alice, bob = two_people(tmp_path, relay.url)
        (tmp_path / "one.bin").write_bytes(content(MIB))
        message = command(
            "attach", "Team", tmp_path / "one.bin", "--wait", "20", "--db", alice
        ).strip()
        (file,) = json_lines(command("files", "Team", "--json", "--db", alice))
        assert (file["message"], file["state"]) == (message, "here")
        command("sync", "--db", bob)
        got = tmp_path / "got"
        got.mkdir()
        (saved,) = json_lines(
            command("download", "Team", message, "--to", got, "--json", "--db", bob)
        )
        assert Path(saved["path"]).read_bytes() == (tmp_path / "one.bin").read_bytes()
        relay.kill()
        command("file-limits", "--free", "--db", bob)
        command("download", "Team", message, "--to", got, "--timeout", "0.5", "--db", bob, code=5)
        (tmp_path / "two.bin").write_bytes(b"two")
        command("attach", "Team", tmp_path / "two.bin", "--wait", "0.5", "--db", alice, code=5)
    finally:
        relay.kill()


async def test_encrypted_database_keeps_its_files_unreadable(tmp_path: Path) -> None:
    key = KeyFile.make(tmp_path / "key")
    with syncchat.open(tmp_path / "a.db", name="Alice", key=key) as alice:
        room = alice.create_room("Team")
        message = room.attach(CANARY * 10_000, name="canary.txt")
        assert room.open_file(message.id).read() == CANARY * 10_000
    assert holding(tmp_path, CANARY[:12]) == holding(tmp_path, b"canary.txt") == []


async def test_thread_without_a_loop_attaches_while_files_go(tmp_path: Path) -> None:
    """Local calls of other threads work while this one is online."""
    with (
        running_relay(tmp_path / "relay") as relay,
        team(tmp_path, relay.url) as (alice, bob, _, b),
    ):
        found: list[str] = []

        def work() -> None:
            with syncchat.open(tmp_path / "a.db") as again:
                for number in range(5):
                    found.append(again.rooms()[0].attach(content(MIB), name=f"{number}").id)

        async with all_online([alice, bob]):
            thread = threading.Thread(target=work)
            thread.start()
            await asyncio.to_thread(thread.join)
            for message in found:
                await until(is_here(b, message), what="each of them")
        assert len(found) == 5
