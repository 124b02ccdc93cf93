"""A process that is killed at a chosen step of writing or receiving, again and again.

It reads one order in JSON for each line of its input, forks, and answers with what the child had
reported before it was killed, and whether it was. Forking saves the start of Python each time.
Steps are: before and after each transaction, before its commit, and before and after each frame
that is sent or received; with ``every`` also each SQL statement.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import syncchat
from syncchat.exchange import refilling, sending
from syncchat.room import Room
from syncchat.storage import snapshots
from syncchat.storage.database import Database
from syncchat.transport.websocket import WebSocketTransport

CHILD_SECONDS_MAX = 20

Plan = list[list[str]]


class Steps:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, last: int) -> None:
        self._last = last
        self._count = 0

    def step(self) -> None:
        self._count += 1
        if self._count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def install(steps: Steps, *, every: bool) -> None:
    """Have transactions, frames and, with ``every``, statements count as steps."""
    atomic, send, receive = Database.atomic, WebSocketTransport.send, WebSocketTransport.receive
    connect = sqlite3.connect

    @contextmanager
    def counted_atomic(db: Database, *, durable: bool = True) -> Iterator[None]:
        steps.step()
        with atomic(db, durable=durable):
            yield
            steps.step()
        steps.step()

    async def counted_send(transport: WebSocketTransport, raw: bytes) -> None:
        steps.step()
        await send(transport, raw)
        steps.step()

    async def counted_receive(transport: WebSocketTransport) -> bytes:
        raw = await receive(transport)
        steps.step()
        return raw

    def counted_connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
        conn: sqlite3.Connection = connect(*arguments, **options)
        conn.set_trace_callback(lambda _: steps.step())
        return conn

    Database.atomic = counted_atomic  # type: ignore[method-assign, assignment]
    WebSocketTransport.send = counted_send  # type: ignore[method-assign, assignment]
    WebSocketTransport.receive = counted_receive  # type: ignore[method-assign, assignment]
    if every:
        sqlite3.connect = counted_connect  # type: ignore[assignment]


def do(room: Room, act: str, old: str, new: str) -> None:
    """Do one thing in a room; messages are found by their text."""
    if act == "send":
        room.send(new)
        return
    (found,) = [message for message in room.messages(limit=1_000) if message.text == old]
    match act:
        case "edit":
            room.edit(found.id, new)
        case "delete":
            room.delete(found.id)
        case "react":
            room.react(found.id, new)
        case "read":
            room.mark_read(found.id)
        case _:
            raise AssertionError(act)


async def live(db: Path, plan: Plan, pipe: int, expected: int) -> None:
    """Do the plan: its first half offline, the rest while syncing; then see all that is there."""
    with syncchat.open(db) as peer:
        (room,) = peer.rooms()
        half = len(plan) // 2
        for act in plan[:half]:
            do(room, *act)
            os.write(pipe, b".")
        async with peer.online(), asyncio.timeout(CHILD_SECONDS_MAX):
            await room.synced()
            for act in plan[half:]:
                do(room, *act)
                os.write(pipe, b".")
                await room.synced()
            while room.count() < expected or peer._db.row("select 1 from room where refill = 1"):  # noqa: ASYNC110
                await asyncio.sleep(0.002)


def child(order: dict[str, Any], pipe: int) -> None:
    """Run the order's plan until it is done or the chosen step comes."""
    snapshots.LOOSE_MIN = sending.LOOK_EVERY = 2  # so that snapshots are made and taken, too
    install(Steps(order["last"]), every=order["every"])
    asyncio.run(live(Path(order["db"]), order["plan"], pipe, order["expected"]))


def main() -> None:
    """Serve orders until the input ends."""
    refilling.REFILL_AFTER_MS, refilling.SEAL_AFTER_LOSS_MS = (20, 30), 40
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            code = 1
            try:
                child(order, writing)
                code = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                sys.stderr.flush()
                os._exit(code)
        os.close(writing)
        done = b""
        while part := os.read(reading, 1_000):
            done += part
        os.close(reading)
        _, status = os.waitpid(pid, 0)
        print(
            json.dumps({"done": len(done), "code": os.waitstatus_to_exitcode(status)}), flush=True
        )


if __name__ == "__main__":
    main()
