"""Tokens: what an embedding app vouches with for its users at a relay.

The app gives a function; it is asked at each connection and before a token expires, so it should
return a fresh one each time. It may be async; a plain one runs in a thread, so it may wait for a
server. What it raises is never shown in words, because a token may stand in them.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

from ..errors import TokenMissing
from ..wire.limits import TOKEN_CHARS_MAX

TokenSource = Callable[[str, bytes], str | Awaitable[str]]
"""Takes a relay address and this device's key of 32 bytes; returns a token, empty for none."""

TOKEN_SECONDS_MAX = 30.0
"""How long a token may take; connecting is tried again after that."""


async def fetch_token(source: TokenSource | None, relay: str, device_key: bytes) -> str:
    """Return a token for a relay, empty where nobody gives any; raises ``TokenMissing``."""
    if source is None:
        return ""
    try:
        async with asyncio.timeout(TOKEN_SECONDS_MAX):
            if inspect.iscoroutinefunction(source):
                found = await source(relay, device_key)
            else:
                found = await asyncio.to_thread(source, relay, device_key)
                found = await found if inspect.isawaitable(found) else found
    except Exception as exc:
        raise TokenMissing(f"no token for this relay: {type(exc).__name__}") from None
    if not isinstance(found, str) or len(found) > TOKEN_CHARS_MAX:
        raise TokenMissing(f"a token is text of at most {TOKEN_CHARS_MAX:,} characters")
    return found
