"""Peers and relays that lie: others go on, and the culprit is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import syncchat_relay
from syncchat_relay import Admit

import syncchat
from syncchat.core.journal import Entry, Volume
from syncchat.core.values import Root
from syncchat.ids import RoomId, Stamp
from syncchat.peer import Peer
from syncchat.room import Room
from syncchat.storage import rooms
from syncchat.trust import chain as links
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.seal import body_key, seal
from syncchat.wire.envelope import Envelope, EnvelopeKind, Header, encode_envelope, encode_header
from syncchat.wire.frames import Ack
from syncchat.wire.limits import VERSION
from tests.e2e.relay_client import joined
from tests.e2e.support import all_online, converged, let_in, texts, until


class Forger:
    """Writes a chain in a room with whatever bodies it likes, all well signed."""

    def __init__(self, room: RoomId, key: bytes, *, seed: int = 9) -> None:
        self.keys = DeviceKeys(bytes([seed]) * 32)
        self.room = room
        self.key = body_key(key, room, self.keys.public[:8])
        self.seq = 0
        self.link = links.GENESIS
        self.volume = Volume(0)

    def message(self, number: int, text: str, *, raw: str = "") -> bytes:
        """Return an envelope with a proper message."""
        stamp = Stamp(f"{number:013d}")
        return self.envelope(
            self.volume.write([Entry(Root.MESSAGES, stamp, raw or f'{{"text":"{text}"}}')])
        )

    def envelope(
        self, update: bytes, *, key: bytes | None = None, body: bytes | None = None
    ) -> bytes:
        """Return the next envelope of the chain, with this update or this very body."""
        self.seq += 1
        own_key = self.keys.public if self.seq == 1 else None
        nonce = self.seq.to_bytes(24)
        device = self.keys.public[:8]
        header = encode_header(
            Header(VERSION, EnvelopeKind.UPDATE, device, self.seq, 0, 0, b"", nonce, own_key)
        )
        context = links.context(self.room, self.link, header)
        sealed = seal(key or self.key, nonce, context, update) if body is None else body
        self.link = links.link_hash(context, sealed)
        signature = self.keys.sign(links.signed_text(self.link))
        return encode_envelope(Envelope(header, sealed, signature))


@contextmanager
def two_peers(folder: Path, url: str) -> Iterator[tuple[Peer, Peer, Room, Room, Forger]]:
    """Return two peers, their handles on one room, and a forger who has the room's key."""
    with (
        syncchat.open(folder / "a.db", name="Alice") as alice,
        syncchat.open(folder / "b.db", name="Bob") as bob,
    ):
        a = alice.create_room("Team", relay=url)
        key = rooms.room_key(alice._db, 1, 0)
        assert key is not None
        forger = Forger(a.id, key)
        let_in(alice, a, forger.keys)
        yield alice, bob, a, bob.join(a.invite()), forger


async def push(url: str, forger: Forger, room: bytes, *envelopes: bytes) -> None:
    """Push envelopes as the forger's device."""
    async with joined(url, forger.keys, room=room) as (client, alias):
        await client.push(alias, 1, envelopes)
        await client.until(Ack)


@pytest.mark.parametrize(
    "attack",
    ["noise", "wrong key", "other's words", "bomb", "huge number", "deep", "no stamp", "kind 77"],
)
async def test_signed_envelope_with_a_hostile_body_is_set_aside_and_its_device_named(
    tmp_path: Path, attack: str
) -> None:
    async with syncchat_relay.serve(admission=Admit.OPEN) as relay:
        with two_peers(tmp_path, relay.url) as (alice, bob, a, b, forger):
            run = [forger.message(1, "was honest once")]
            match attack:
                case "noise":
                    run.append(forger.envelope(b"", body=bytes(range(256))))
                case "wrong key":
                    run.append(forger.envelope(b"x", key=bytes(32)))
                case "other's words":
                    run.append(forger.envelope(b"\x01\x01\x07\x00" + b"\xff" * 40))
                case "bomb":
                    run.append(forger.envelope(b"\0" * 60_000_000))
                case "huge number":
                    run.append(forger.message(2, "", raw=f'{{"metadata":{{"x":{10**40}}}}}'))
                case "deep":
                    run.append(forger.message(2, "", raw='{"x":' + "[" * 900 + "]" * 900 + "}"))
                case "no stamp":
                    run.append(forger.envelope(Volume(0).write([Entry(Root.EDITS, "x", "[]")])))
                case "kind 77":
                    run.append(forger.envelope(b"\x00\x00"))
            run.append(forger.message(3, "what follows is not read"))
            async with all_online([alice, bob]):
                await push(relay.url, forger, a.id, *run)
                a.send("we go on")
                await until(lambda: b.count() == 2)
                await converged(a, b, messages=2)
                for peer in (alice, bob):
                    found = peer.check()
                    assert any(forger.keys.device in fault for fault in found), found
                    assert any("envelope 2 cannot be read" in fault for fault in found), found
            assert texts(a) == texts(b) == ["was honest once", "we go on"]
            before = a.digest()
            alice.rebuild()
            assert a.digest() == before


async def test_envelopes_of_others_pushed_again_change_nothing(tmp_path: Path) -> None:
    async with syncchat_relay.serve(admission=Admit.OPEN) as relay:
        with two_peers(tmp_path, relay.url) as (alice, bob, a, b, forger):
            sent = [a.send(f"{n}").text for n in range(5)]
            async with all_online([alice, bob]):
                await converged(a, b, messages=5)
                await until(lambda: a.outbox() == b.outbox() == [])
                stored = [bytes(raw) for (raw,) in alice._db.rows("select raw from envelope")]
                for _ in range(2):
                    await push(relay.url, forger, a.id, *stored)
                other = bytes(16)
                await push(relay.url, forger, other, *stored)  # and into another room
                b.send("on")
                await converged(a, b, messages=6)
            assert alice.check() == bob.check() == []
            assert texts(a) == [*sent, "on"]


async def test_device_that_wrote_two_histories_through_two_relays_is_frozen_and_named(
    tmp_path: Path,
) -> None:
    async with (
        syncchat_relay.serve(admission=Admit.OPEN) as one,
        syncchat_relay.serve(admission=Admit.OPEN) as two,
    ):
        with two_peers(tmp_path, one.url) as (alice, bob, a, b, forger):
            async with all_online([alice, bob]):
                await converged(a, b)
            bob._db.execute("update room set relay = ?", (two.url,))
            twin = Forger(a.id, rooms.room_key(alice._db, 1, 0) or b"")
            await push(one.url, forger, a.id, forger.message(1, "to Alice"), forger.message(2, "x"))
            await push(two.url, twin, a.id, twin.message(1, "to Bob"), twin.message(2, "y"))
            async with all_online([alice, bob]):
                await until(lambda: texts(a) == ["to Alice", "x"] and texts(b) == ["to Bob", "y"])
            # They meet at one relay: each has evidence against the device, and both go on.
            bob._db.execute("update room set relay = ?", (one.url,))
            async with all_online([alice, bob]):
                b.send("hello")
                await until(lambda: "hello" in texts(a))
                await until(lambda: any("two different envelopes" in f for f in bob.check()))
                named = [f for f in bob.check() if "two different envelopes" in f]
                assert all(forger.keys.device in fault for fault in named)
                a.send("and on")
                await until(lambda: "and on" in texts(b))


async def test_names_and_titles_that_are_no_names_are_not_shown(tmp_path: Path) -> None:
    async with syncchat_relay.serve(admission=Admit.OPEN) as relay:
        with two_peers(tmp_path, relay.url) as (alice, bob, a, b, forger):
            stamps = iter(f"{n:013d}" for n in range(1, 9))
            evil = "\\u001b[2Jowned" + "x" * 5_000
            update = forger.volume.write(
                [
                    Entry(Root.PROFILE, "name", f'["{next(stamps)}","{evil}"]'),
                    Entry(Root.MESSAGES, "0000000000003", '{"text":"hi"}'),
                    Entry(Root.ROOM, "title", f'["F{"Z" * 12}","{evil}"]'),
                ]
            )
            async with all_online([alice, bob]):
                await push(relay.url, forger, a.id, forger.envelope(update))
                await until(lambda: texts(a) == texts(b) == ["hi"])
                await converged(a, b)
            assert a.title == b.title == "Team"
            shown = a.messages()[0]
            assert shown.sender_name == shown.sender[:6]
            assert all(member.name.isprintable() for member in a.members())
            assert len(a.invite()) < 500
            assert alice.check() == bob.check() == []
