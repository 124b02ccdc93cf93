"""Speaks to the rivals' servers as many clients in one process, without their documents.

Only what it takes to be in a room, to push an update and to see it come: the sync messages of
y-protocols as y-websocket and pycrdt-websocket carry them, and Hocuspocus's, which put the room's
name before each and want a token first. The bare relay takes and gives any bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from pycrdt import Array, Doc, create_update_message
from websockets.asyncio.client import ClientConnection, connect

_ROOM = "room"
_STEP_1 = b"\x00\x00\x01\x00"
"""A sync message that asks for everything: the state vector of an empty document."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """Is how a server wants to be spoken to: what goes before a message, and what to wait for."""

    prefix: bytes = b""
    hello: Sequence[bytes] = ()
    joined: Sequence[bytes] = ()
    answer: bytes = b""
    """How an answer to a push begins, the update's own return included."""
    is_document: bool = True


_NAMED = bytes([len(_ROOM)]) + _ROOM.encode()
_YJS = Dialect(joined=(b"\x00\x00",), answer=b"\x00\x02")
DIALECTS = {
    "bare": Dialect(is_document=False),
    "hocuspocus": Dialect(
        prefix=_NAMED,
        hello=(_NAMED + b"\x02\x00\x05token", _NAMED + _STEP_1),
        joined=(_NAMED + b"\x00\x01", _NAMED + b"\x04\x01"),
        answer=_NAMED + b"\x08\x01",
    ),
    "pycrdt": _YJS,
    "yjs": _YJS,
}


def pushes(dialect: Dialect, texts: Sequence[str]) -> list[bytes]:
    """Return a message for each text, as it is pushed."""
    if not dialect.is_document:
        return [text.encode() for text in texts]
    updates: list[bytes] = []
    doc: Doc[Any] = Doc()
    messages: Array[str] = doc.get("messages", type=Array)
    subscription = doc.observe(lambda event: updates.append(event.update))
    for text in texts:
        messages.append(text)
    doc.unobserve(subscription)
    return [dialect.prefix + create_update_message(update) for update in updates]


async def join(stack: AsyncExitStack, url: str, dialect: Dialect) -> ClientConnection:
    """Open a connection that is in the room."""
    websocket = await stack.enter_async_context(
        connect(
            f"{url}/{_ROOM}",
            compression=None,
            ping_interval=None,
            proxy=None,
            close_timeout=1,
            max_size=None,
        )
    )
    for message in dialect.hello:
        await websocket.send(message)
    while dialect.joined:
        frame = bytes(await websocket.recv(decode=False))
        if frame.startswith(tuple(dialect.joined)):
            break
    return websocket


async def push_all(
    pusher: ClientConnection, dialect: Dialect, messages: Sequence[bytes], window: int
) -> None:
    """Send all, at most ``window`` unanswered."""
    answered = 0
    for number, message in enumerate(messages):
        while number - answered >= window:
            answered += await _is_answer(pusher, dialect)
        await pusher.send(message)
    while answered < len(messages):
        answered += await _is_answer(pusher, dialect)


async def receive_until(websocket: ClientConnection, last: bytes) -> None:
    """Receive until what was pushed last is there; a server may merge several into one frame."""
    while last not in await websocket.recv(decode=False):
        pass


async def _is_answer(websocket: ClientConnection, dialect: Dialect) -> bool:
    return (await websocket.recv(decode=False)).startswith(dialect.answer)
