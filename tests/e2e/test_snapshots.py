"""Deleted for everyone, with a relay on a disk: the sealed words are gone from all of its files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import syncchat_relay
from syncchat_relay import Admit

import syncchat
from syncchat.wire.envelope import EnvelopeKind, decode_envelope


def _on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _stored(peer: syncchat.Peer) -> list[bytes]:
    return [raw for (raw,) in peer._db.rows("select raw from envelope")]


async def test_deleted_for_everyone_is_off_the_relays_disk_in_seconds(tmp_path: Path) -> None:
    disk = tmp_path / "relay"
    async with syncchat_relay.serve(data_dir=disk, port=0, admission=Admit.ROOMS) as relay:
        with (
            syncchat.open(tmp_path / "a.db", name="Alice") as alice,
            syncchat.open(tmp_path / "b.db", name="Bob") as bob,
        ):
            mine = alice.create_room("Team", relay=relay.url)
            async with asyncio.timeout(30), alice.online(), bob.online():
                theirs = bob.join(mine.invite())
                await theirs.synced()
                kept = mine.send("words that stay")
                await mine.synced()
                gone = mine.send("words that are deleted")
                await mine.synced()
                sealed = max(_stored(alice), key=lambda raw: decode_envelope(raw)[1].seq)
                assert sealed in _on_disk(disk)
                mine.delete(gone.id)
                async with asyncio.timeout(5):
                    while sealed in _on_disk(disk) or sealed in _stored(bob):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)  # a disk tells nobody
                assert [m.text for m in theirs.messages() if not m.deleted][-1] == kept.text
                kinds = [decode_envelope(raw)[1].kind for raw in _stored(bob)]
                assert EnvelopeKind.SNAPSHOT in kinds
                assert mine.digest() == theirs.digest()
