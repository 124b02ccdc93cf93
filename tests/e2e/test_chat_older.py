"""Going back in the chat, where history is at the relay, and what it shows while catching up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import syncchat_relay
from syncchat_relay import Config

import syncchat
from syncchat.exchange.sending import Sending
from syncchat.transport.base import Transport
from syncchat.transport.websocket import connect_websocket

from .little_room import SETTINGS, TEXTS, chatting, joined, small_volumes, written, written_by_two

WHOLE = replace(SETTINGS, deliver_bytes_max=Config().deliver_bytes_max)
"""So that the newest come in one delivery, as they do."""


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    """Make volumes small, so that a few hundred messages are many of them."""
    with small_volumes():
        yield


async def test_chat_goes_back_to_the_beginning_of_a_room_that_is_at_the_relay(
    tmp_path: Path,
) -> None:
    async with syncchat_relay.serve(SETTINGS) as relay:
        await joined(tmp_path / "bob.db", await written_by_two(tmp_path, relay.url))
        with syncchat.open(tmp_path / "bob.db") as bob:
            room = bob.room("Team")
            async with chatting(bob, last=5) as chat:
                await chat.wait_for("connected to")
                assert chat.texts() == TEXTS[-5:]
                chat.type("/older 10")
                await chat.wait_for("up to here")
                assert chat.texts()[5:] == TEXTS[-15:-5]
                pages = 1
                while "this is the beginning of the room" not in chat.text:
                    chat.type("/older 100", "/older 100")  # the second may find the first at work
                    pages += 1
                    await chat.wait_for(r"\*  (up to here|this is the beginning)", times=pages)
                await asyncio.sleep(1.5)  # what was fetched is no news
            shown = chat.texts()
            assert sorted(shown) == TEXTS, "each once"
            assert not room.has_older
            assert "fetching older messages from the relay" in chat.text
            assert "written earlier" not in chat.text
            assert "came that are not shown" not in chat.text
            places = [TEXTS.index(text) for text in shown]
            steps = [after - before for before, after in pairwise(places)]
            assert all(step == 1 or step < 0 for step in steps), "a page has no gaps"
            assert sum(step < 0 for step in steps) > 2


async def test_while_one_page_is_fetched_no_other_is_and_the_chat_goes_on(tmp_path: Path) -> None:
    async with syncchat_relay.serve(SETTINGS) as relay:
        await joined(tmp_path / "bob.db", await written(tmp_path, relay.url))
        with syncchat.open(tmp_path / "bob.db") as bob:
            async with chatting(bob) as chat:
                await chat.wait_for("connected to")
                chat.type("/older 200", "/older 200", "said meanwhile")
                await chat.wait_for("being fetched already")
                await chat.wait_for("Bob: said meanwhile")
                await chat.wait_for("up to here|beginning of the room")
            assert chat.text.index("said meanwhile") > chat.text.index("being fetched already")
            assert len(set(chat.texts())) == len(chat.texts()) > 200
            assert chat.text.count("fetching older messages from the relay") == 1


async def test_offline_the_chat_shows_what_is_here_and_says_where_the_rest_is(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "relay"
    settings = replace(SETTINGS, data_dir=folder)
    async with syncchat_relay.serve(settings) as relay:
        await joined(tmp_path / "bob.db", await written(tmp_path, relay.url))
        port = int(relay.url.rpartition(":")[2])
    with syncchat.open(tmp_path / "bob.db") as bob:
        here = bob.room("Team").count()
        async with chatting(bob) as chat:
            await chat.wait_for("what you write is kept")
            chat.type("/older 200", "/older 200")
            await chat.wait_for("older messages are at the relay, and that is not reached: offline")
            assert here - 1 <= len(chat.texts()) <= here
            async with syncchat_relay.serve(replace(settings, port=port)):
                await chat.wait_for("connected to")
                chat.type("/older 200")
                await chat.wait_for("this is the beginning of the room|up to here")
                assert len(chat.texts()) > here


async def test_chat_goes_to_what_an_answer_answers_and_fetches_it(tmp_path: Path) -> None:
    async with syncchat_relay.serve(SETTINGS) as relay:
        await joined(tmp_path / "bob.db", await written(tmp_path, relay.url, answered=90))
        with syncchat.open(tmp_path / "bob.db") as bob:
            room = bob.room("Team")
            (answer,) = room.messages(limit=1)
            async with chatting(bob, last=3) as chat:
                await chat.wait_for("connected to")
                await chat.wait_for("↳ a message that is not here")
                chat.type("/show 3")
                await chat.wait_for("looking for it at the relay")
                await chat.wait_for("here it is")
                await chat.wait_for(TEXTS[93])
                assert chat.texts() == [*TEXTS[-3:], *TEXTS[87:94]]
                assert room.has_older
                chat.type(f"/show {answer.reply_to}", "/show 99", "/show", "/older 0")
                await chat.wait_for("here it is", times=2)
                await chat.wait_for(r"no message \[99\]")
                await chat.wait_for("say which message")
                await chat.wait_for("say how many messages")
                assert chat.texts()[-7:] == TEXTS[87:94]
                numbers = [line.split("]")[0] for line in chat.printed if line.startswith("[")]
                assert len(set(numbers)) == 10, "a message keeps its number"


class _Held:
    """Is a connection that gives nothing more once enough has come, until it may."""

    def __init__(self) -> None:
        self.is_enough: Callable[[], bool] = lambda: False
        self.may_go_on = asyncio.Event()

    @asynccontextmanager
    async def connect(self, relay: str) -> AsyncIterator[Transport]:
        """Open a transport that is held up."""
        async with connect_websocket(relay) as transport:
            yield _HeldTransport(transport, self)


class _HeldTransport:
    def __init__(self, transport: Transport, held: _Held) -> None:
        self._transport = transport
        self._held = held

    async def send(self, raw: bytes) -> None:
        await self._transport.send(raw)

    async def receive(self) -> bytes:
        raw = await self._transport.receive()
        if self._held.is_enough():
            await self._held.may_go_on.wait()
        return raw

    async def close(self) -> None:
        await self._transport.close()


def _ahead(monkeypatch: pytest.MonkeyPatch, *, envelopes: int) -> None:
    """Have so many of the newest envelopes be told ahead."""
    defaults = Sending.__init__.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "recent", envelopes)


async def test_newcomer_is_shown_the_newest_first_and_told_of_what_comes_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ahead(monkeypatch, envelopes=20)
    async with syncchat_relay.serve(WHOLE) as relay:
        link = await written(tmp_path, relay.url)
        held = _Held()
        with syncchat.open(tmp_path / "bob.db", name="Bob", connect=held.connect) as bob:
            room = bob.join(link)
            held.is_enough = lambda: room.count() >= 50
            async with chatting(bob) as chat:
                await chat.wait_for("the newest first, the rest follows: catching up")
                await chat.wait_for(TEXTS[-1])
                assert chat.texts() == TEXTS[-50:]
                chat.type("may I come in?")
                await chat.wait_for("Bob.*: may I come in")
                chat.type("/older 200")
                await chat.wait_for("still coming: catching up")
                before = len(chat.texts())
                held.may_go_on.set()
                await chat.wait_for("earlier messages came that are not shown; /older shows them")
                assert len(chat.texts()) == before
                chat.type("/older 200", "/older 200")
                await chat.wait_for("this is the beginning of the room")
            assert sorted(chat.texts()) == TEXTS
            assert room.unread() == 0


async def test_chat_that_begins_while_a_room_comes_does_not_print_its_history_as_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ahead(monkeypatch, envelopes=5)
    async with syncchat_relay.serve(WHOLE) as relay:
        link = await written(tmp_path, relay.url)
        held = _Held()
        with syncchat.open(tmp_path / "bob.db", name="Bob", connect=held.connect) as bob:
            room = bob.join(link)
            held.is_enough = lambda: room.count() > 0
            async with asyncio.timeout(25), bob.online():
                while room.count() == 0:  # noqa: ASYNC110 - it comes by itself
                    await asyncio.sleep(0.01)
            ahead = room.count()
            assert 0 < ahead < 150
            async with chatting(bob) as chat:
                await chat.wait_for(TEXTS[-1])
                held.may_go_on.set()
                await chat.wait_for("connected to")
                await chat.wait_for("came that are not shown")
            assert len(chat.texts()) == ahead
