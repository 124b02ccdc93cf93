"""Rooms that keep messages for days only, with a relay on a disk and clocks set forward."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import syncchat_relay
from syncchat_relay import Admit

import syncchat
from syncchat.core.keeping import DAY_MS
from syncchat.ports import SystemClock


class LateClock(SystemClock):
    """Is a clock that somebody sets forward, for a whole world."""

    late_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.late_ms


def _on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _stored(peer: syncchat.Peer) -> list[bytes]:
    return [raw for (raw,) in peer._db.rows("select raw from envelope")]


async def _until_gone(sealed: bytes, disk: Path, *peers: syncchat.Peer) -> None:
    async with asyncio.timeout(30):
        while any(sealed in _stored(peer) for peer in peers) or sealed in _on_disk(  # noqa: ASYNC110
            disk
        ):
            await asyncio.sleep(0.05)  # a disk tells nobody


async def test_what_is_older_leaves_everybody_and_the_relays_disk(tmp_path: Path) -> None:
    clock, disk = LateClock(), tmp_path / "relay"
    async with syncchat_relay.serve(data_dir=disk, port=0, admission=Admit.ROOMS) as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Alice", clock=clock) as alice,
            syncchat.open(tmp_path / "b.db", name="Bob", clock=clock) as bob,
        ):
            mine = alice.create_room("Team", relay=relay.url)
            link = mine.invite()
            mine.set_keep(timedelta(days=30))
            async with asyncio.timeout(30), alice.online(), bob.online():
                theirs = bob.join(link)
                await theirs.synced()
                mine.send("words that nobody keeps")
                await mine.synced()
                await theirs.synced()
            sealed = max(_stored(alice), key=len)
            assert sealed in _on_disk(disk)
            clock.late_ms += 60 * DAY_MS
            assert mine.messages() == theirs.messages() == []
            async with alice.online(), bob.online():
                mine.send("words of today")
                await _until_gone(sealed, disk, alice, bob)
                async with asyncio.timeout(30):
                    await mine.synced()
                    await theirs.synced()
            assert [m.text for m in theirs.messages()] == ["words of today"]
            assert mine.digest() == theirs.digest()
            for peer in (alice, bob):
                assert peer.check() == []
                peer.rebuild()
            assert mine.digest() == theirs.digest()
