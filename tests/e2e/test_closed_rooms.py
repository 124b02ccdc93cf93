"""A relay process whose rooms' records say who may enter, killed and started again."""

from __future__ import annotations

from pathlib import Path

from syncchat.ports import SystemClock
from syncchat.trust.chain import EMPTY_FINGERPRINT
from syncchat.wire.codes import ItemStatus
from syncchat.wire.frames import Access, Ack, Deliver, Live, Open, RoomCursor
from tests.contracts.chains import Writer
from tests.e2e.relay_client import joined, relay_process
from tests.support.people import House, Human, pin
from tests.unit.relay.world import Link, proof_of

STORED, FORBIDDEN, KNOWN = ItemStatus.STORED, ItemStatus.FORBIDDEN, ItemStatus.KNOWN
ALICE, BOB, CAROL = Human(1), Human(2), Human(3)


async def test_doors_open_and_close_and_stay_so_after_a_sigkill(tmp_path: Path) -> None:
    team = House(ALICE, at_ms=SystemClock().now_ms())
    team.add(BOB)
    invite = team.invite()
    alice, bob = (Writer(person.devices[0], room=team.id) for person in (ALICE, BOB))
    async with (
        relay_process(tmp_path / "relay", "--admission", "rooms") as relay,
        joined(relay.url, ALICE.device, team.id) as (a, alias),
        joined(relay.url, BOB.device, team.id) as (b, _),
        joined(relay.url, CAROL.device, team.id) as (c, _),
    ):
        await a.push(alias, 1, [*team.raws, alice.write()])
        assert [item.status for item in (await a.until(Ack)).items] == [STORED] * 4
        assert (await b.until(Access)).is_open
        await b.until(Live)
        await b.push(alias, 1, [bob.write()])
        assert [item.status for item in (await b.until(Ack)).items] == [STORED]
        await a.push(alias, 2, [team.remove(BOB, pins=[pin(BOB.device, 1)]).raw])
        assert not (await b.until(Access)).is_open
        await c.push(alias, 1, [team.join(CAROL, invite, is_kept=False).raw])
        assert [item.status for item in (await c.until(Ack)).items] == [FORBIDDEN]
        await relay.kill()
    delivered = [raw for frame in b.seen if isinstance(frame, Deliver) for raw in frame.envelopes]
    assert delivered[-1] == team.raws[-1]
    async with relay_process(tmp_path / "relay", "--admission", "rooms") as relay:
        async with joined(relay.url, BOB.device, team.id) as (b, alias):
            await b.push(alias, 1, [bob.write(), team.genesis.raw])
            assert [item.status for item in (await b.until(Ack)).items] == [FORBIDDEN] * 2
            assert not any(isinstance(frame, Deliver) for frame in b.seen)
        async with joined(relay.url, ALICE.device, team.id) as (a, alias):
            assert len(await a.take(6)) == 6
            again = team.invite()
            await a.push(alias, 1, [team.genesis.raw, team.raws[-1], alice.write()])
            statuses = [item.status for item in (await a.until(Ack)).items]
            assert statuses == [KNOWN, STORED, STORED]
            async with joined(relay.url, CAROL.device, team.id) as (c, _):
                link = Link(0)
                link.frames = c.seen
                proof = proof_of(link, again, team.id)
                asked = RoomCursor(team.id, 0, EMPTY_FINGERPRINT, 0, proof)
                await c.send(Open(c.incarnation, [asked]))
                assert len(await c.take(8)) == 8
                await c.push(alias, 1, [team.join(CAROL, again).raw])
                assert [item.status for item in (await c.until(Ack)).items] == [STORED]
