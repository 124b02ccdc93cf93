"""Vouching: asks whoever can tell whether a token admits a device, within bounds.

What is asked is a plain or an async function of the program that runs the relay. However it ends,
the relay has an answer: one that raises or does not come in time counts as *could not say*. The
words of its errors are not logged, because a token may stand in them.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable

from syncchat.ports import Clock
from syncchat.wire.limits import SUBJECT_CHARS_MAX

from .effects import Grant, Vouch, Vouched

logger = logging.getLogger(__name__)

Verify = Callable[[str, bytes], Grant | Awaitable[Grant | None] | None]
"""Takes a token and the device key of 32 bytes; returns what the token grants that device."""

VERIFY_SECONDS_MAX = 5.0
"""Half of the handshake: the other half is for the network."""

VERIFIES_MAX = 64
"""Questions under way; more wait, so that a rush does not overrun who answers."""


class Vouching:
    """Asks one verifier for one relay."""

    def __init__(self, verify: Verify, *, clock: Clock) -> None:
        self._verify = verify
        self._clock = clock
        self._places = asyncio.Semaphore(VERIFIES_MAX)

    async def answer(self, vouch: Vouch) -> Vouched:
        """Return the answer to one question."""
        try:
            async with asyncio.timeout(VERIFY_SECONDS_MAX), self._places:
                found = self._verify(vouch.token, vouch.device_key)
                grant = await found if inspect.isawaitable(found) else found
        except Exception as exc:
            last = traceback.extract_tb(exc.__traceback__)[-1]
            kind = type(exc).__name__
            logger.error("verifying a token: %s in %s:%s", kind, last.filename, last.lineno)
            return Vouched(vouch.conn, None, has_failed=True)
        if grant is None:
            return Vouched(vouch.conn, None)
        if not isinstance(grant, Grant) or not 0 < len(grant.subject) <= SUBJECT_CHARS_MAX:
            logger.error("verifying a token: the answer is no Grant with a subject, and not None")
            return Vouched(vouch.conn, None, has_failed=True)
        return Vouched(vouch.conn, grant, grant.expires_ms - self._clock.now_ms())
