"""The life of a group at a relay that decides by the room's records, and must learn no secret.

People come by invites of each kind, one is removed, devices are linked, lost and recovered. All
along every key that is on any device is kept, and at the end each of them is looked for in what
the relay had in memory at several moments, in its files, in its log, and on the line.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

import syncchat
from syncchat.peer import Peer
from syncchat.ports import SystemClock
from syncchat.room import Room
from syncchat.wire.codes import ItemStatus
from syncchat.wire.frames import Ack
from tests.contracts.chains import Writer
from tests.e2e.relay_client import joined
from tests.e2e.searching import (
    Tap,
    assert_nowhere,
    files_in,
    memory_of,
    reads_memory,
    secrets_of,
    secrets_of_link,
)
from tests.e2e.support import RelayProcess, all_online, converged, running_relay, texts, until
from tests.support.people import House, Human

CONTROL = "control-5e0d this was not sealed"
TITLE, RENAMED = "canary-title-91c2", "canary-title-e07b"
PASSPHRASE = "canary-passphrase-3d58 of a backup"
PHRASES = ("canary", "the eagle lands", "👍🏽", PASSPHRASE)
NAMES = ("alice", "bob", "carol", "dora", "laptop", "phoenix")


class Watch:
    """Keeps what a relay has in memory at some moments, and every secret until then."""

    def __init__(self, relay: RelayProcess, peers: dict[str, Peer]) -> None:
        self.relay = relay
        self.peers = peers
        self.secrets: dict[str, bytes] = {}
        self.memories: dict[str, bytes] = {}

    async def look(self, moment: str) -> None:
        """Have somebody write the control in clear, and read the relay's memory after it."""
        for peer in self.peers.values():
            self.secrets |= {f"{what} ({moment})": raw for what, raw in secrets_of(peer).items()}
        owner = Human(50 + len(self.memories))
        team = House(owner, at_ms=SystemClock().now_ms())
        control = Writer(owner.device, room=team.id).write(CONTROL.encode())
        async with joined(self.relay.url, owner.device, team.id) as (client, alias):
            await client.push(alias, 1, [*team.raws, control])
            statuses = [item.status for item in (await client.until(Ack)).items]
            assert statuses == [ItemStatus.STORED] * 2
            self.memories[f"the relay's memory when {moment}"] = memory_of(self.relay.pid)


@reads_memory
@pytest.mark.timeout(180)
async def test_relay_that_decides_who_is_in_learns_no_secret_of_a_groups_life(
    tmp_path: Path,
) -> None:
    tap = Tap()
    with ExitStack() as stack:
        relay = stack.enter_context(
            running_relay(tmp_path / "relay", options=["--admission", "rooms"])
        )
        peers = {
            name: stack.enter_context(
                syncchat.open(tmp_path / f"{name}.db", name=f"canary-{name}", connect=tap.connect)
            )
            for name in NAMES
        }
        watch = Watch(relay, peers)
        links = await _live(relay.url, watch, tmp_path)
        files = b"\0".join(files_in(tmp_path / "relay").values())
        said = relay.error_text().encode()
        assert texts(peers["phoenix"].room(RENAMED))[-1] == "canary at the end"
        room = bytes(peers["phoenix"].room(RENAMED).id)
    places = watch.memories | {"the relay's files": files}
    # The same search finds what somebody did not seal.
    for where in places:
        assert room in places[where], where
        with pytest.raises(AssertionError, match="the control is in"):
            assert_nowhere({"the control": CONTROL.encode()}, {where: places[where]})
    answers, asked = b"\0".join(tap.received), b"\0".join(tap.sent)
    assert room in asked
    assert said
    places |= {"the relay's log": said, "the relay's answers": answers, "what was sent": asked}
    secrets = {f"{phrase!r}": phrase.encode() for phrase in PHRASES} | watch.secrets
    for name, link in links.items():
        secrets |= secrets_of_link(name, link)
    epochs = {raw for what, raw in secrets.items() if "room_key" in what and "bodies" not in what}
    assert len(epochs) >= 5, "of the room before and after each change, and of the personal one"
    assert len({raw for what, raw in secrets.items() if "alice: user secret" in what}) >= 2
    assert_nowhere(secrets, places)


async def _live(url: str, watch: Watch, folder: Path) -> dict[str, str]:
    """Let the group live, and return every link that was made."""
    alice, bob, carol, dora, laptop, phoenix = watch.peers.values()
    links: dict[str, str] = {}
    phrase = alice.devices.phrase()
    async with all_online([alice, bob, carol, dora, laptop]):
        a, b, c = await _let_in(url, links, alice, bob, carol, dora)
        await _chat(a, b, c)
        await watch.look("all were in")
        a.remove(bob.id)
        await until(lambda: b.standing == "removed")
        a.send("canary without bob")
        await converged(a, c)
        links["a device"] = alice.devices.link()
        laptop.devices.ask(links["a device"])
        await until(lambda: any(asking.emoji for asking in alice.devices.asking()))
        alice.devices.approve(laptop.device)
        await until(lambda: RENAMED in [room.title for room in laptop.rooms()])
        alice.devices.rename(laptop.device, "canary-device-name")
        await converged(a, c, laptop.room(RENAMED))
        laptop.room(RENAMED).send("canary from the laptop")
        await converged(a, c, laptop.room(RENAMED))
        await watch.look("one was removed and a device linked")
    alice.backup(folder / "backup", PASSPHRASE)
    syncchat.restore(folder / "backup", folder / "restored.db", PASSPHRASE)
    alice.devices.confirm(phrase)
    phoenix.devices.recover(phrase, url)
    async with all_online([carol, phoenix]):
        await until(lambda: RENAMED in [room.title for room in phoenix.rooms()])
        p = phoenix.room(RENAMED)
        await converged(p, c)
        phoenix.devices.revoke(alice.device)
        await until(lambda: alice.device not in [d for m in c.members() for d in m.devices])
        c.rotate_key()
        await until(lambda: not c.pending_changes())
        await p.synced()
        c.send("canary at the end")
        await converged(p, c)
        await watch.look("a device was lost and its owner recovered")
    return links


async def _let_in(
    url: str, links: dict[str, str], alice: Peer, bob: Peer, carol: Peer, dora: Peer
) -> tuple[Room, Room, Room]:
    """Make the room, and let people in by an invite of each kind."""
    a = alice.create_room(TITLE, relay=url)
    alice.devices.set_home(url)
    links["a member"] = a.invite()
    links["another member"] = a.invite(uses=2)
    links["somebody who asks"] = a.invite(approve=True, role="reader")
    b, c = bob.join(links["a member"]), carol.join(links["another member"])
    d = dora.join(links["somebody who asks"])
    await until(lambda: b.standing == c.standing == "member" and len(a.requests()) == 1)
    a.add(a.requests()[0].id, role="reader")
    await until(lambda: d.standing == "member")
    return a, b, c


async def _chat(a: Room, b: Room, c: Room) -> None:
    """Write, answer, edit, delete, hide, react, rename."""
    first = a.send("canary: the eagle lands at nine", metadata={"canary": ["the eagle lands"]})
    a.send("canary " * 200, attachments=[{"name": "canary.png"}])
    await converged(a, b, c, messages=2)
    b.react(first.id, "👍🏽")
    answer = b.send("canary by bob", reply_to=first.id)
    gone = c.send("canary by carol")
    await converged(a, b, c, messages=4)
    a.edit(first.id, "canary: the eagle lands at ten")
    c.delete(gone.id)
    a.hide(answer.id)
    a.set_title(RENAMED)
    await converged(a, b, c)
    await until(lambda: a.outbox() == b.outbox() == c.outbox() == [])
