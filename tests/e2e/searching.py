"""What a relay could give away, and where to look for it: its memory, its files, its lines."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from syncchat.peer import Peer
from syncchat.storage import identity, rooms
from syncchat.transport.base import Transport
from syncchat.transport.websocket import connect_websocket
from syncchat.trust import seal
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.phrase import phrase_of, root_seed
from syncchat.wire.invite import decode_invite

reads_memory = pytest.mark.skipif(
    not Path("/proc/self/mem").exists(), reason="reads memory through /proc"
)


def memory_of(pid: int) -> bytes:
    """Return everything that a process has in memory and may change; runs of zeros are cut."""
    found = []
    maps = Path(f"/proc/{pid}/maps").read_text(encoding="ascii")
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for first, last, rights in re.findall(r"^(\w+)-(\w+) (\S+)", maps, re.MULTILINE):
            start, end = int(first, 16), int(last, 16)
            if "w" not in rights or end > 2**47:
                continue
            with suppress(OSError):
                memory.seek(start)
                found.append(re.sub(rb"\0{64,}", bytes(64), memory.read(end - start)))
    return b"\0".join(found)


def files_in(folder: Path) -> dict[str, bytes]:
    """Return what the files of a folder hold, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class Tap:
    """Is a ``connect`` that keeps what goes over the line, both ways."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.received: list[bytes] = []

    @asynccontextmanager
    async def connect(self, relay: str) -> AsyncIterator[Transport]:
        """Open a transport that is listened to."""
        async with connect_websocket(relay) as transport:
            yield _Tapped(transport, self)


class _Tapped:
    def __init__(self, transport: Transport, tap: Tap) -> None:
        self._transport = transport
        self._tap = tap

    async def send(self, raw: bytes) -> None:
        self._tap.sent.append(raw)
        await self._transport.send(raw)

    async def receive(self) -> bytes:
        raw = await self._transport.receive()
        self._tap.received.append(raw)
        return raw

    async def close(self) -> None:
        await self._transport.close()


def secrets_of(peer: Peer) -> dict[str, bytes]:
    """Return every key that a peer's database has by now, and what is made from them."""
    db, who = peer._db, peer.name
    local, person = rooms.load_local(db), identity.load_identity(db)
    assert local is not None and person is not None
    found = {f"{who}: seed of the device": local.seed, **_keys(f"{who}: device", local.seed)}
    for number, secret in enumerate(identity.user_secrets(db)):
        found[f"{who}: user secret {number} from the newest"] = secret
    if person.entropy is not None:
        found[f"{who}: entropy of the phrase"] = person.entropy
        found[f"{who}: recovery phrase"] = phrase_of(person.entropy).encode()
        found[f"{who}: seed of the root"] = root_seed(person.entropy)
        found |= _keys(f"{who}: root", root_seed(person.entropy))
    for table in ("room_key", "lost_key"):
        for room, epoch, key in db.rows(f"select room, epoch, key from {table}"):
            row = rooms.load_room(db, room)
            what = f"{who}: {table} {epoch} of {row.title!r}"
            found[what] = bytes(key)
            body = seal.body_key(bytes(key), row.room_id, peer._keys.public[:8])
            found[f"{what}, for the own bodies"] = body
    return found


def secrets_of_link(name: str, link: str) -> dict[str, bytes]:
    """Return what is secret about an invite link: all that follows its ``#``."""
    invite = decode_invite(link)
    return {
        f"{name}: secret": invite.secret,
        f"{name}: fragment": link.partition("#")[2].encode(),
        f"{name}: seed": invite.seed,
        **_keys(name, invite.seed),
    }


def assert_nowhere(secrets: Mapping[str, bytes], places: Mapping[str, bytes]) -> None:
    """Assert that no secret is in any place, as it is or written as hex or base64."""
    names = {secret: what for what, secret in secrets.items()}  # many have the same room key
    for secret, what in names.items():
        assert len(secret) >= 6, f"{what} is too short to be looked for"
        for form, raw in _forms(secret).items():
            for where, content in places.items():
                assert raw not in content, f"{what}{form} is in {where}"


def _keys(name: str, seed: bytes) -> dict[str, bytes]:
    keys = DeviceKeys(seed)
    return {f"{name}: box secret": keys.box_secret, f"{name}: curve secret": keys.curve_secret}


def _forms(secret: bytes) -> dict[str, bytes]:
    return {
        "": secret,
        ", as hex,": secret.hex().encode(),
        ", as base64,": base64.b64encode(secret).rstrip(b"="),
        ", as base64 for addresses,": base64.urlsafe_b64encode(secret).rstrip(b"="),
    }
