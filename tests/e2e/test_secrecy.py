"""What a relay can be made to give away: its files, its log and its memory hold no plaintext."""

from __future__ import annotations

import base64
from pathlib import Path

import syncchat
from syncchat.storage import rooms
from tests.e2e.searching import files_in, memory_of, reads_memory
from tests.e2e.support import all_online, converged, running_relay, until

CANARY = "canary-7f3b the eagle lands at nine"
TITLE = "canary-title-91c2"
NAME = "canary-name-44ad"


@reads_memory
async def test_relay_holds_no_word_of_a_chat_in_files_log_or_memory(tmp_path: Path) -> None:
    with (
        running_relay(tmp_path / "relay") as relay,
        syncchat.open(tmp_path / "a.db", name=NAME) as alice,
        syncchat.open(tmp_path / "b.db", name="Bob") as bob,
    ):
        a = alice.create_room(TITLE, relay=relay.url)
        b = bob.join(a.invite())
        async with all_online([alice, bob]):
            first = a.send(CANARY)
            a.send(CANARY * 20, metadata={CANARY: CANARY})
            await converged(a, b, messages=2)
            b.react(first.id, "👍")
            a.edit(first.id, CANARY + " edited")
            a.set_title(TITLE + " renamed")
            await converged(a, b)
            await until(lambda: a.outbox() == b.outbox() == [])
            memory = memory_of(relay.pid)
        key = rooms.room_key(alice._db, 1, 0)
        local = rooms.load_local(alice._db)
        assert key is not None
        assert local is not None
        files = files_in(tmp_path / "relay")
        said = relay.error_text().encode()
        secrets = {
            "the message": CANARY.encode(),
            "a part of the message": b"canary-7f3b",
            "the title": TITLE.encode(),
            "the name": NAME.encode(),
            "the room key": key,
            "the room key in text": base64.urlsafe_b64encode(key).rstrip(b"="),
            "the room key in hex": key.hex().encode(),
            "the device's seed": local.seed,
        }
        for what, secret in secrets.items():
            assert secret not in memory, f"{what} is in the relay's memory"
            assert secret not in said, f"{what} is in the relay's log"
            for name, content in files.items():
                assert secret not in content, f"{what} is in {name}"
        # The same search finds what is there: the room's id, which the relay must know.
        assert bytes(a.id) in memory
        assert any(bytes(a.id) in content for content in files.values())
        assert any(bytes(alice._keys.public) in content for content in files.values())
        assert "relay.db" in files
        assert said
