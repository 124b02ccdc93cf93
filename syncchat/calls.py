"""Calls: short connections to a relay, of which one answer is wanted and then no more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from .errors import ConnectFailed, DecodeError, RelayRefused
from .sync.greeting import auth_for
from .transport.base import Connect, Transport, host_of
from .transport.tokens import TokenSource, fetch_token
from .trust.keys import DeviceKeys
from .wire import frames

ANSWER_SECONDS_MAX = 15.0
"""How long a relay may take to answer."""

WORDS_CHARS_MAX = 200
"""Of a relay's own words, which end on somebody's terminal."""

_Answer = TypeVar("_Answer", bound=frames.Frame)


async def call(
    relay: str,
    says: Sequence[frames.Frame],
    *,
    until: type[_Answer],
    keys: DeviceKeys,
    connect: Connect | None,
    token: TokenSource | None,
    operator_secret: bytes = b"",
) -> _Answer:
    """Say something to a relay, and return the first answer of the kind ``until``.

    Raises ``RelayRefused`` with what the relay refuses with, and the ``TransportError`` family.
    """
    host = host_of(relay)
    vouched = await fetch_token(token, relay, keys.public)
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX), _connected(relay, connect) as transport:
            hello = frames.decode(await transport.receive())
            if not isinstance(hello, frames.Hello):
                _refuse(hello)
                raise ConnectFailed(f"{relay} does not greet as a relay does")
            auth = auth_for(hello, keys, host=host, token=vouched, operator_secret=operator_secret)
            for each in (auth, *says):
                await transport.send(frames.encode(each))
            while True:
                answer = frames.decode(await transport.receive())
                _refuse(answer)
                if isinstance(answer, until):
                    return answer
    except TimeoutError as exc:
        raise ConnectFailed(f"{relay} does not answer") from exc
    except DecodeError as exc:
        raise ConnectFailed(f"{relay} does not speak as a relay does") from exc


def _connected(relay: str, connect: Connect | None) -> AbstractAsyncContextManager[Transport]:
    if connect is not None:
        return connect(relay)
    from .transport.websocket import connect_websocket

    return connect_websocket(relay)


def _refuse(answer: frames.AnyFrame | None) -> None:
    """Raise what the relay refuses with, if it does."""
    if isinstance(answer, frames.Error):
        words = "".join(c if c.isprintable() else "?" for c in answer.text[:WORDS_CHARS_MAX])
        raise RelayRefused(answer.code, words, retry_after_ms=answer.retry_after_ms)
