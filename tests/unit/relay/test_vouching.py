"""Asking the embedding program about a token: whatever it does, there is an answer."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from syncchat_relay import Grant, vouching
from syncchat_relay.effects import Vouch, Vouched
from syncchat_relay.vouching import Vouching

CANARY = "canary.of.a.token"
ASKED = Vouch(5, bytes(32), CANARY)


class Clock:
    """Is a clock that stands still."""

    def now_ms(self) -> int:
        return 1_000

    def monotonic(self) -> float:
        return 1.0


async def answer(verify: Any) -> Vouched:
    return await Vouching(verify, clock=Clock()).answer(ASKED)


async def test_plain_and_async_functions_are_asked_alike() -> None:
    async def later(token: str, device_key: bytes) -> Grant | None:
        await asyncio.sleep(0)
        return Grant(token, 3_500)

    expected = Vouched(5, Grant(CANARY, 3_500), 2_500)
    assert await answer(later) == expected
    assert await answer(lambda token, key: Grant(token, 3_500)) == expected
    assert await answer(lambda token, key: None) == Vouched(5, None)


def _raises(token: str, device_key: bytes) -> Grant | None:
    raise LookupError(f"no such token {token}")


@pytest.mark.parametrize(
    "verify",
    [
        _raises,
        lambda token, key: True,
        lambda token, key: {"subject": token},
        lambda token, key: Grant("", 9_000),
        lambda token, key: Grant("s" * 256, 9_000),
        lambda token: Grant("ann", 9_000),
    ],
    ids=["raises", "true", "dict", "no subject", "long subject", "signature"],
)
async def test_answer_that_is_none_counts_as_nobody_could_say(
    verify: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert await answer(verify) == Vouched(5, None, has_failed=True)
    assert "verifying a token" in caplog.text
    assert CANARY not in caplog.text


async def test_verifier_that_hangs_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vouching, "VERIFY_SECONDS_MAX", 0.01)

    async def never(token: str, device_key: bytes) -> Grant | None:
        await asyncio.Event().wait()
        return None

    assert await answer(never) == Vouched(5, None, has_failed=True)
