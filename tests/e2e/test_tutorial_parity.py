"""What the tutorial's chat application shows or recommends, row by row, with two peers and a relay.

The rows are those of the design's first section. Each goes through the public API only, as an app
that embeds it would. Calls, which the tutorial shows too, are not here: they are live by nature,
and no part of what merges. Reconnection, queue and errors share a test with what they are part of.
"""

from __future__ import annotations

import asyncio
import json
import re
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest
import syncchat_relay

import syncchat
from syncchat import (
    ConnectionChanged,
    Event,
    FileState,
    Message,
    MessageAdded,
    Peer,
    PresenceChanged,
    Room,
    Status,
    TypingChanged,
)
from syncchat.errors import InviteError, NotAllowedError, NotFoundError, ValidationError
from syncchat.sync import backoff
from tests.e2e.proxy import proxy_to
from tests.e2e.support import ShiftedClock, running_relay, until
from tests.unit.media.samples import film, photograph, sound

SECONDS_MAX = 20
CANARY = "canary of the tutorial"

E = TypeVar("E", bound=Event)


class Two(NamedTuple):
    """Is Alice and Bob, online, in one room of a relay."""

    relay: syncchat_relay.Relay
    folder: Path
    alice: Peer
    bob: Peer
    here: Room
    there: Room

    async def arrives(self, message: Message) -> Message:
        """Return a message of Alice's as Bob has it."""
        await until(lambda: any(m.id == message.id for m in self.there.messages(threads=True)))
        return self.there.message(message.id)


@pytest.fixture
async def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Two]:
    monkeypatch.setattr(backoff, "FIRST_MS", 5)
    monkeypatch.setattr(backoff, "MOST_MS", 50)
    async with AsyncExitStack() as stack:
        relay = await stack.enter_async_context(syncchat_relay.serve(data_dir=tmp_path / "relay"))
        alice = stack.enter_context(syncchat.open(tmp_path / "alice.db", name="Alice"))
        bob = stack.enter_context(syncchat.open(tmp_path / "bob.db", name="Bob"))
        here = alice.create_room("Team", relay=relay.url)
        there = bob.join(here.invite())
        for peer, room in ((alice, here), (bob, there)):
            await stack.enter_async_context(peer.online())
            async with asyncio.timeout(SECONDS_MAX):
                await room.synced()
        await until(lambda: len(here.members()) == 2)
        yield Two(relay, tmp_path, alice, bob, here, there)


async def told(
    peer: Peer, kind: type[E], do: Callable[[], object], fits: Callable[[E], bool] = lambda _: True
) -> E:
    """Return the first event of a kind that fits, after something was done."""
    async with asyncio.timeout(SECONDS_MAX):
        events = peer.events()
        do()
        async for event in events:
            if isinstance(event, kind) and fits(event):
                return event
    raise AssertionError("the stream ended")


async def test_real_time_messages(two: Two) -> None:
    event = await told(two.bob, MessageAdded, lambda: two.here.send("hello"))
    assert (event.message.text, event.message.sender_name) == ("hello", "Alice")


async def test_typing_indicators(two: Two) -> None:
    event = await told(two.bob, TypingChanged, two.here.typing)
    assert event.is_typing and event.member == two.alice.id
    assert two.there.typists() == [two.alice.id]
    two.here.send("done")
    await until(lambda: two.there.typists() == [])


async def test_read_receipts(two: Two) -> None:
    sent = two.here.send("read me")
    await two.arrives(sent)
    two.there.mark_read()
    await until(lambda: two.here.message(sent.id).status is Status.READ)
    assert two.here.message(sent.id).read_by == (two.bob.id,)


async def test_persistence(tmp_path: Path) -> None:
    with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
        written = alice.create_room("Team").send("kept")
    with syncchat.open(tmp_path / "a.db") as alice:
        assert alice.room("Team").message(written.id).text == "kept"


async def test_presence(two: Two) -> None:
    def is_here(peer: Peer, room: Room) -> bool:
        return any(each.is_here for each in room.presence() if each.member == peer.id)

    await until(lambda: is_here(two.bob, two.here) and is_here(two.alice, two.there))
    assert {each.name for each in two.here.presence()} == {"Alice", "Bob"}
    event = await told(two.alice, PresenceChanged, lambda: two.bob.set_status("at lunch"))
    assert event.member == two.bob.id
    await until(lambda: "at lunch" in [each.status for each in two.here.presence()])


async def test_reactions(two: Two) -> None:
    sent = two.here.send("who is in?")
    await two.arrives(sent)
    two.there.react(sent.id, "👍")
    await until(lambda: len(two.here.message(sent.id).reactions) == 1)
    (reaction,) = two.here.message(sent.id).reactions
    assert (reaction.name, reaction.emoji) == ("Bob", "👍")
    two.there.unreact(sent.id, "👍")
    await until(lambda: two.here.message(sent.id).reactions == ())


async def test_file_sharing(two: Two) -> None:
    path = two.folder / "report.bin"
    path.write_bytes(bytes(range(256)) * 2_000)
    sent = two.here.attach(path, text="the report")
    assert (await two.arrives(sent)).text == "the report"
    async with asyncio.timeout(SECONDS_MAX):
        (file,) = await two.there.fetched(sent.id)
    assert (file.name, file.size, file.state) == ("report.bin", 512_000, FileState.HERE)
    with two.there.open_file(sent.id) as opened:
        assert opened.read() == path.read_bytes()


async def test_search(two: Two) -> None:
    sent = two.here.send("the quarterly figures are in")
    await two.arrives(sent)
    assert [hit.message.id for hit in two.bob.search("quarter from:alice")] == [sent.id]


async def test_threads(two: Two) -> None:
    root = two.here.send("lunch?")
    await two.arrives(root)
    two.there.send("pizza", thread=root.id)
    await until(lambda: two.here.message(root.id).replies == 1)
    assert [m.text for m in two.here.messages(thread=root.id)] == ["pizza"]
    assert [m.text for m in two.here.messages()] == ["lunch?"]


async def test_offline_support_with_queue_retry_and_reconnection(tmp_path: Path) -> None:
    """The relay is there, is killed, and comes back at the same place."""
    with (
        syncchat.open(tmp_path / "a.db", name="Alice") as alice,
        syncchat.open(tmp_path / "b.db", name="Bob") as bob,
    ):
        with running_relay(tmp_path / "relay") as relay:
            here, port = alice.create_room("Team", relay=relay.url), relay.port
            there = bob.join(here.invite())
            async with alice.online(), bob.online(), asyncio.timeout(SECONDS_MAX):
                await here.synced()
                await there.synced()
        async with alice.online(), bob.online():
            sent = [here.send(f"offline {number}") for number in range(3)]
            assert {m.status for m in here.messages()} == {Status.QUEUED}
            assert [item.text for item in here.outbox()] == [m.text for m in sent]
            with running_relay(tmp_path / "relay", port=port):
                await until(lambda: there.count() == 3, seconds=60)
                await until(lambda: not here.outbox())


async def test_message_kinds_and_voice_messages(two: Two) -> None:
    """Text, image, file, audio, video and location."""
    folder = two.folder
    (folder / "notes.txt").write_text("a file")
    sent = [
        two.here.send("a text"),
        two.here.attach(photograph(folder / "photo.jpg")),
        two.here.attach(folder / "notes.txt"),
        two.here.attach(sound(folder / "sound.wav")),
        two.here.attach(film(folder / "film.mp4")),
        two.here.send_location(52.52, 13.405, accuracy_m=20),
        two.here.send_voice(sound(folder / "voice.wav")),
    ]
    came = [await two.arrives(message) for message in sent]
    kinds = ["text", "image", "file", "audio", "video", "location", "audio"]
    assert [message.kind for message in came] == kinds
    assert came[-1].attachments[0]["waveform"]


async def test_groups(two: Two) -> None:
    with syncchat.open(two.folder / "carol.db", name="Carol") as carol:
        group = carol.join(two.here.invite())
        async with carol.online():
            sent = two.here.send("welcome")
            await until(lambda: any(m.id == sent.id for m in group.messages()))
            await until(lambda: {m.name for m in two.here.members()} == {"Alice", "Bob", "Carol"})
            two.here.remove(carol.id)
            await until(lambda: group.standing == "removed")


async def test_end_to_end_encryption(two: Two) -> None:
    await two.arrives(two.here.send(CANARY))
    (two.folder / "secret.txt").write_text(CANARY)
    with_file = two.here.attach(two.folder / "secret.txt")
    async with asyncio.timeout(SECONDS_MAX):
        await two.here.transferred()
        await two.there.fetched(with_file.id)
    stored = [path for path in (two.folder / "relay").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in stored) > 1_000
    assert not [path for path in stored if CANARY.encode() in path.read_bytes()]


async def test_connection_state_and_errors(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        alice = stack.enter_context(syncchat.open(tmp_path / "a.db", name="Alice"))
        with running_relay(tmp_path / "relay") as relay:
            room = alice.create_room("Team", relay=relay.url)
            await stack.enter_async_context(alice.online())
            async with asyncio.timeout(SECONDS_MAX):
                await room.synced()
            assert alice.connections == {relay.url: "live"}
            event = await told(
                alice, ConnectionChanged, relay.kill, lambda event: str(event.state) != "live"
            )
            assert event.relay == relay.url
        # In words, for a person: "offline (what is wrong)".
        await until(lambda: alice.connections[relay.url].startswith("offline ("))


async def test_heartbeat(tmp_path: Path) -> None:
    """A connection over which nothing comes any more is noticed, and another one made."""
    clock = ShiftedClock()
    async with (
        syncchat_relay.serve(data_dir=tmp_path / "relay") as relay,
        proxy_to(relay.port) as proxy,
    ):
        with syncchat.open(tmp_path / "a.db", name="Alice", clock=clock) as alice:
            room = alice.create_room("Team", relay=proxy.url)
            async with alice.online(), asyncio.timeout(SECONDS_MAX):
                await room.synced()
                proxy.is_hole = True
                sent = [room.send("are you there?")]
                while "nothing heard" not in alice.connections[proxy.url] and len(sent) < 10:
                    clock.pass_time(5)
                    sent.append(room.send("still there?"))
                    await asyncio.sleep(0.02)
                await until(lambda: "nothing heard" in alice.connections[proxy.url], seconds=2)
                assert clock.seconds <= 45
                proxy.is_hole = False
                await room.synced()
            assert {room.message(message.id).status for message in sent} == {Status.SENT}


async def test_retry_of_what_a_relay_has_refused(tmp_path: Path) -> None:
    """The words go; the file that the relay had no place for goes when there is some."""
    config = syncchat_relay.Config(data_dir=tmp_path / "relay", room_blob_bytes_max=3_000_000)
    async with syncchat_relay.serve(config) as relay:
        with syncchat.open(tmp_path / "a.db", name="Alice") as alice:
            room = alice.create_room("Team", relay=relay.url)
            async with alice.online():
                small, large = room.attach(bytes(1_000_000)), room.attach(bytes(2_500_000))
                await until(lambda: room.file(large.id).state is FileState.STOPPED)
                assert "no more files" in room.file(large.id).reason
                assert room.message(large.id).status is Status.SENT
                room.delete(small.id)
                await until(lambda: room.message(small.id).deleted)
                room.retry()
                room.fetch(large.id)
                await until(lambda: room.file(large.id).state is FileState.HERE)


async def test_caching(two: Two) -> None:
    """All that was here is here without the relay: messages, members, files, what searches find."""
    sent = two.here.attach(b"the report", name="report.txt", text="cached words")
    await two.arrives(sent)
    async with asyncio.timeout(SECONDS_MAX):
        await two.there.fetched(sent.id)
    with syncchat.open(
        two.folder / "bob.db"
    ) as again:  # as a program that starts without a network
        (room,) = again.rooms()
        assert room.messages() == two.there.messages()
        assert {m.name for m in room.members()} == {"Alice", "Bob"}
        assert room.open_file(sent.id).read() == b"the report"
        assert [hit.message.id for hit in again.search("cached")] == [sent.id]


async def test_bounded_memory(two: Two) -> None:
    """Reading a long room page by page holds a page. (What catching up takes is measured apart.)"""
    for number in range(1_500):
        two.here.send(f"line {number} " + "x" * 500)

    def read() -> int:
        count, page = 0, two.here.messages(limit=50)
        while page:
            count, page = count + len(page), two.here.messages(limit=50, before=page[0].id)
        return count

    assert read() == 1_500
    tracemalloc.start()
    try:
        read()
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


async def test_resistance_to_attacks(two: Two) -> None:
    """Hostile texts are harmless, a guessed link opens nothing, and noise harms nobody."""
    hostile = (
        "\x1b]0;owned\x07 \u202egnp.exe <b>x</b> [y](javascript:alert(1)) [z](https://z.example)"
    )
    shown = (await two.arrives(two.here.send(hostile))).markup
    assert not {"\x1b", "\x07", "\u202e"} & set(syncchat.markup.plain_text(shown))
    drawn = json.dumps([syncchat.markup.to_json(block) for block in shown])
    assert re.findall(r'"url": "([^"]*)"', drawn) == ["https://z.example"]
    link = two.here.invite()
    with syncchat.open(two.folder / "m.db", name="Mallory") as mallory:
        with pytest.raises(InviteError):
            mallory.join(link[:-8] + link[-8:].swapcase())
        assert mallory.rooms() == []
    reader, writer = await asyncio.open_connection("127.0.0.1", two.relay.port)
    writer.write(b"\xff" * 10_000 + b"\r\n\r\n")
    await writer.drain()
    assert b"101 Switching" not in await reader.read()
    writer.close()
    await two.arrives(two.here.send("and on it goes"))


async def test_validation(two: Two) -> None:
    sent = two.here.send("mine")
    await two.arrives(sent)
    with pytest.raises(ValidationError):
        two.here.send("")
    with pytest.raises(ValidationError):
        two.here.react(sent.id, "no emoji")
    with pytest.raises(NotFoundError):
        two.here.react("no id", "👍")
    with pytest.raises(NotAllowedError):
        two.there.edit(sent.id, "not mine")
    assert two.here.message(sent.id).text == "mine"


async def test_large_lists_come_in_bounded_pages(two: Two) -> None:
    for number in range(250):
        two.here.send(f"line {number}")
    await until(lambda: two.there.count() == 250)
    page, seen = two.there.messages(), list[str]()
    while page:
        seen = [m.text for m in page] + seen
        page = two.there.messages(before=page[0].id)
    assert seen == [f"line {number}" for number in range(250)]
    with pytest.raises(ValidationError):
        two.there.messages(limit=1_000_000)


async def test_validated_users_and_tokens(tmp_path: Path) -> None:
    """A relay that asks for tokens lets in who has one, and nobody else."""
    good = "token of alice"

    async def verify(token: str, device_key: bytes) -> syncchat_relay.Grant | None:
        ends_ms = 4_000_000_000_000
        return syncchat_relay.Grant("alice", ends_ms, True) if token == good else None

    async with syncchat_relay.serve(data_dir=tmp_path / "relay", verify=verify) as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Alice", token=lambda *_: good) as alice,
            syncchat.open(tmp_path / "m.db", name="Mallory", token=lambda *_: "guess") as mallory,
        ):
            room = alice.create_room("Team", relay=relay.url)
            mallory.create_room("Mine", relay=relay.url).send("let me in")
            async with alice.online(), mallory.online():
                sent = room.send("with a token")
                await until(lambda: room.message(sent.id).status is Status.SENT)
                await until(lambda: "token" in mallory.connections[relay.url])
                assert mallory.rooms()[0].messages()[0].status is Status.QUEUED


async def test_json_is_that_of_the_tutorial_field_by_field(two: Two) -> None:
    """``id, senderId, content, timestamp, type, replyTo, metadata, readBy, reactions``."""
    first = two.here.send("first")
    await two.arrives(first)
    sent = two.there.send("second", reply_to=first.id, metadata={"from": "a bot"})
    await until(lambda: two.here.count() == 2)
    two.here.react(sent.id, "🎉")
    two.here.mark_read()
    await until(lambda: bool(two.there.message(sent.id).reactions))
    await until(lambda: bool(two.there.message(sent.id).read_by))
    shown = two.there.message(sent.id)
    fields = shown.to_json()
    (reaction,) = fields["reactions"]
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(stamp, fields["timestamp"]) and re.fullmatch(stamp, reaction["timestamp"])
    tutorial = {
        "id": sent.id,
        "senderId": two.bob.id,
        "content": "second",
        "type": "text",
        "replyTo": first.id,
        "metadata": {"from": "a bot"},
        "readBy": [two.alice.id],
    }
    assert {name: fields[name] for name in tutorial} == tutorial
    assert (reaction["userId"], reaction["emoji"]) == (two.alice.id, "🎉")
    assert list(fields)[:9] == [
        *("id", "senderId", "content", "timestamp", "type", "replyTo"),
        *("metadata", "readBy", "reactions"),
    ]
    assert Message.from_json(fields) == shown
