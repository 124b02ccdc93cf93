"""Receiving in a room with many devices: one more costs what it brings, not what is there."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from syncchat.ids import DeviceId, MemberId
from syncchat.storage import chains, members
from syncchat.storage.chains import ChainRow
from syncchat.storage.database import Database
from tests.support.devices import Device
from tests.support.peers import Inbox


@pytest.fixture
def crowded() -> Inbox:
    """Return a peer in a room where ten devices have written."""
    inbox = Inbox()
    for seed in range(1, 11):
        inbox.deliver(Device(seed).send(f"from {seed}"))
    return inbox


def test_record_on_top_of_the_log_stores_only_the_devices_that_it_lets_in(
    crowded: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[DeviceId] = []
    store = members.set_owners

    def noted(db: Database, room: int, owners: Iterable[tuple[DeviceId, MemberId]]) -> None:
        some = list(owners)
        stored.extend(device for device, _ in some)
        store(db, room, some)

    monkeypatch.setattr(members, "set_owners", noted)
    late = Device(20)
    crowded.deliver(late.send("from 20"))
    assert set(stored) == {late.id}
    assert "from 20" in crowded.texts()


def test_record_on_top_of_the_log_looks_at_no_chain_that_has_nothing_to_wait_for(
    crowded: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[ChainRow] = []
    load = chains.chains_of

    def noted(
        db: Database, room: int, *, waiting_or: Iterable[DeviceId] | None = None
    ) -> list[ChainRow]:
        found = load(db, room, waiting_or=waiting_or)
        looked_at.extend(found)
        return found

    monkeypatch.setattr(chains, "chains_of", noted)
    crowded.let_in(Device(20).keys.public[:8])
    assert looked_at == []
    assert len(chains.all_chains(crowded.db, crowded.row)) == 10
    assert crowded.peer.check() == []


def test_chain_that_came_before_its_device_was_let_in_is_read_on_then(crowded: Inbox) -> None:
    early = Device(20)
    crowded._take((early.send("from 20"),))
    assert "from 20" not in crowded.texts()
    crowded.let_in(early.keys.public[:8])
    assert "from 20" in crowded.texts()
    assert crowded.peer.check() == []
