"""Asking the embedding app for a token."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from syncchat.errors import TokenMissing
from syncchat.transport import tokens
from syncchat.transport.tokens import fetch_token

RELAY, KEY = "wss://relay.example", bytes(32)


async def test_nobody_to_ask_gives_no_token() -> None:
    assert await fetch_token(None, RELAY, KEY) == ""


async def test_function_is_told_the_relay_and_the_device_whether_async_or_not() -> None:
    async def later(relay: str, device_key: bytes) -> str:
        await asyncio.sleep(0)
        return f"{relay} {len(device_key)}"

    def now(relay: str, device_key: bytes) -> str:
        return f"{relay} {len(device_key)}"

    for source in (later, now, partial(later)):
        assert await fetch_token(source, RELAY, KEY) == f"{RELAY} 32"


async def test_plain_function_may_wait_without_stopping_the_loop() -> None:
    asked, answer = threading.Event(), threading.Event()

    def slow(relay: str, device_key: bytes) -> str:
        asked.set()
        assert answer.wait(20)
        return "token"

    async with asyncio.TaskGroup() as tasks:
        fetching = tasks.create_task(fetch_token(slow, RELAY, KEY))
        while not asked.is_set():  # noqa: ASYNC110 -- set by another thread
            await asyncio.sleep(0.001)
        answer.set()
    assert fetching.result() == "token"


def _raises(relay: str, device_key: bytes) -> str:
    raise LookupError("canary.of.a.token")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (_raises, "LookupError"),
        (lambda relay, key: None, "text"),
        (lambda relay, key: b"bytes", "text"),
        (lambda relay, key: "t" * 4_097, "4,096"),
    ],
)
async def test_what_is_no_token_is_said_without_showing_it(
    source: Callable[[str, bytes], str], words: str
) -> None:
    with pytest.raises(TokenMissing, match=words) as raised:
        await fetch_token(source, RELAY, KEY)
    assert "canary" not in str(raised.value)
    assert raised.value.__cause__ is None


async def test_app_that_does_not_answer_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens, "TOKEN_SECONDS_MAX", 0.01)

    async def never(relay: str, device_key: bytes) -> str:
        await asyncio.Event().wait()
        return ""

    with pytest.raises(TokenMissing, match="TimeoutError"):
        await fetch_token(never, RELAY, KEY)
