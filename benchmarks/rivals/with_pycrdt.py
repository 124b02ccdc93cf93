"""Drives pycrdt: a Doc, pycrdt-store's SQLite store, pycrdt-websocket's server and a provider.

A room that is opened keeps its texts in a map by their order, because an array of many, written
one by one, takes quadratic time; for all else an array.
"""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import websockets.asyncio.server
from pycrdt import Array, Doc, Map, Provider

from .driver import SHOWN, Channel, Meter, Watch, main, measured

DEVICES = 8


def build(path: str, texts: list[str]) -> dict[str, Any]:
    """Write texts one by one, by devices that take turns, and join what they wrote."""
    docs: list[Doc[Any]] = [Doc(client_id=1_000 + number) for number in range(DEVICES)]
    maps: list[Map[str]] = [doc.get("messages", type=Map) for doc in docs]
    for number, text in enumerate(texts):
        maps[number % DEVICES][f"{number:013}"] = text
    joined: Doc[Any] = Doc()
    for doc in docs:
        joined.apply_update(doc.get_update())
    Path(path).write_bytes(joined.get_update())
    return {}


def open_(path: str, _: None) -> dict[str, Any]:
    """Load the document and read the last texts."""

    def work() -> list[str]:
        doc: Doc[Any] = Doc()
        messages: Map[str] = doc.get("messages", type=Map)
        doc.apply_update(Path(path).read_bytes())
        return [messages[key] for key in sorted(messages.keys())[-SHOWN:]]

    return measured(work)


def store(path: str, texts: list[str]) -> dict[str, Any]:
    """Append texts one by one, and have each update in the store before the next."""
    return asyncio.run(_store(path, texts))


async def _store(path: str, texts: list[str]) -> dict[str, Any]:
    times: list[float] = []
    doc: Doc[Any] = Doc()
    messages: Array[str] = doc.get("messages", type=Array)
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    async with _store_at(path) as kept:
        await kept.db_initialized.wait()
        for text in texts:
            started = time.perf_counter()
            messages.append(text)
            await kept.write(updates.pop())
            times.append(time.perf_counter() - started)
        again: Doc[Any] = Doc()
        await kept.apply_updates(again)
    doc.unobserve(subscription)
    return {"times": times, "is_right": again.get("messages", type=Array).to_py() == texts}


def fill(url: str, texts: list[str]) -> dict[str, Any]:
    """Let devices write texts in turn into one array, push it, and wait until another has it."""
    docs: list[Doc[Any]] = [Doc(client_id=1_000 + number) for number in range(DEVICES)]
    updates: list[bytes] = []
    seen = [0] * DEVICES
    for number, text in enumerate(texts):
        at = number % DEVICES
        for update in updates[seen[at] :]:
            docs[at].apply_update(update)
        known = docs[at].get_state()
        docs[at].get("messages", type=Array).append(text)
        updates.append(docs[at].get_update(known))
        seen[at] = len(updates)

    async def work() -> dict[str, Any]:
        doc: Doc[Any] = Doc()
        async with _joined(url, Meter(), doc), _joined(url, Meter()) as other:
            for update in updates:
                doc.apply_update(update)
                await asyncio.sleep(0)
            await _has(other, len(texts))
        return {}

    return asyncio.run(work())


def catchup(url: str, given: dict[str, Any]) -> dict[str, Any]:
    """Join with an empty document until all messages are there."""

    async def work() -> dict[str, Any]:
        meter, watch = Meter(), Watch()
        async with _joined(url, meter) as doc:
            await _has(doc, given["count"])
            shown = _last(doc)
            took = watch.read()
            count = len(doc.get("messages", type=Array))
        return took | {"down": meter.down, "shown": shown, "count": count}

    return asyncio.run(work())


def offline(url: str, texts: list[str]) -> dict[str, Any]:
    """Write without a connection, connect, and wait until the other shows all of it."""

    async def work() -> dict[str, Any]:
        writing, reading = Meter(), Meter()
        doc: Doc[Any] = Doc()
        async with _joined(url, reading) as other:
            async with _joined(url, Meter(), doc):
                pass
            messages: Array[str] = doc.get("messages", type=Array)
            for text in texts:
                messages.append(text)
            reading.down = 0
            watch = Watch()
            async with _joined(url, writing, doc, waits=False):
                await _has(other, len(texts))
                shown = _last(other)
                took = watch.read()
                await asyncio.sleep(0.3)
            is_right = other.get("messages", type=Array).to_py() == texts
        found = took | {"up": writing.up, "down": reading.down}
        return found | {"shown": shown, "isRight": is_right}

    return asyncio.run(work())


@asynccontextmanager
async def serve(folder: str) -> AsyncIterator[str]:
    """Serve one room, which is kept in SQLite when there is a folder."""
    module: Any = importlib.import_module("pycrdt.websocket")
    async with AsyncExitStack() as stack:
        ystore = None
        if folder:
            ystore = await stack.enter_async_context(_store_at(f"{folder}/room.db"))
        rooms = await stack.enter_async_context(module.WebsocketServer(auto_clean_rooms=False))
        rooms.rooms["room"] = module.YRoom(ystore=ystore)

        async def connection(websocket: websockets.asyncio.server.ServerConnection) -> None:
            await rooms.serve(Channel(websocket, Meter()))

        server = await stack.enter_async_context(
            websockets.asyncio.server.serve(
                connection, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=None
            )
        )
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _store_at(path: str) -> Any:
    module: Any = importlib.import_module("pycrdt.store")
    kind = type("Store", (module.SQLiteYStore,), {"db_path": path})
    return kind("room")


@asynccontextmanager
async def _joined(
    url: str, meter: Meter, doc: Doc[Any] | None = None, *, waits: bool = True
) -> AsyncIterator[Doc[Any]]:
    doc = Doc() if doc is None else doc
    async with meter.connect(url) as channel, Provider(doc, channel) as provider:
        if waits:
            await provider.synced.wait()
        yield doc


async def _has(doc: Doc[Any], count: int) -> None:
    messages: Array[str] = doc.get("messages", type=Array)
    changed = asyncio.Event()
    subscription = doc.observe(lambda event: changed.set())
    while len(messages) < count:
        await changed.wait()
        changed.clear()
    doc.unobserve(subscription)


def _last(doc: Doc[Any]) -> list[str]:
    messages: Array[str] = doc.get("messages", type=Array)
    return [messages[at] for at in range(max(0, len(messages) - SHOWN), len(messages))]


if __name__ == "__main__":
    main(
        {
            "build": build,
            "open": open_,
            "store": store,
            "fill": fill,
            "catchup": catchup,
            "offline": offline,
        },
        serve,
    )
