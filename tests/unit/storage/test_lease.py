"""The sync lease: of several handles on one database exactly one seals."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncchat.errors import LeaseLost
from syncchat.storage import lease
from syncchat.storage.database import Database
from tests.support.peers import LINK, RELAY, Net, make_peer

NOW = 1_800_000_000_000


@pytest.fixture
def handles(tmp_path: Path) -> Iterator[tuple[Database, Database]]:
    one, other = Database(tmp_path / "peer.db"), Database(tmp_path / "peer.db")
    yield one, other
    one.close()
    other.close()


def test_exactly_one_handle_gets_the_lease(handles: tuple[Database, Database]) -> None:
    one, other = handles
    assert lease.take(one, "one", now_ms=NOW)
    assert not lease.take(other, "other", now_ms=NOW)
    assert lease.take(one, "one", now_ms=NOW)
    lease.give_up(other, "other")
    assert not lease.take(other, "other", now_ms=NOW)
    lease.give_up(one, "one")
    assert lease.take(other, "other", now_ms=NOW)


def test_lease_that_is_renewed_does_not_lapse(handles: tuple[Database, Database]) -> None:
    one, other = handles
    lease.take(one, "one", now_ms=NOW)
    for step in range(1, 10):
        now = NOW + step * lease.RENEW_MS
        lease.renew(one, "one", now_ms=now)
        assert not lease.take(other, "other", now_ms=now + lease.LEASE_MS)


@pytest.mark.parametrize("away_ms", [lease.LEASE_MS + 1, -lease.LEASE_MS - 1])
def test_lapsed_lease_is_taken_over_and_the_old_holder_is_told(
    handles: tuple[Database, Database], away_ms: int
) -> None:
    one, other = handles
    lease.take(one, "one", now_ms=NOW)
    lease.publish_states(one, "one", {RELAY: "live"})
    assert lease.states(other, now_ms=NOW) == {RELAY: "live"}
    assert lease.take(other, "other", now_ms=NOW + away_ms)
    assert lease.states(other, now_ms=NOW + away_ms) == {}
    with pytest.raises(LeaseLost), one.atomic():
        lease.check(one, "one")
    with pytest.raises(LeaseLost):
        lease.renew(one, "one", now_ms=NOW + away_ms)
    lease.publish_states(one, "one", {RELAY: "of one who lost it"})
    lease.give_up(one, "one")
    assert not lease.take(one, "one", now_ms=NOW + away_ms)
    assert lease.states(other, now_ms=NOW + away_ms) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="the end of a process is not seen there")
def test_lease_of_a_process_that_died_is_taken_over_at_once(
    handles: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = handles
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(30)
    with monkeypatch.context() as patch:
        patch.setattr(lease, "process_name", lambda: f"{socket.gethostname()}:{gone.pid}")
        lease.take(one, "one", now_ms=NOW)
    assert lease.states(other, now_ms=NOW) == {}
    assert lease.take(other, "other", now_ms=NOW)


def test_process_of_another_machine_keeps_its_lease_until_it_lapses(
    handles: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = handles
    with monkeypatch.context() as patch:
        patch.setattr(lease, "process_name", lambda: "elsewhere:1")
        lease.take(one, "one", now_ms=NOW)
    assert not lease.take(other, "other", now_ms=NOW)
    assert lease.take(other, "other", now_ms=NOW + lease.LEASE_MS + 1)


def test_stale_holder_seals_nothing(tmp_path: Path) -> None:
    net = Net()
    with make_peer(1, path=tmp_path / "a.db") as peer:
        room = peer.join(LINK)
        line = net.connect(peer)
        net.settle()
        lease.give_up(peer._db, "test")
        assert lease.take(peer._db, "successor", now_ms=NOW)
        room.send("kept for the successor")
        with pytest.raises(LeaseLost):
            line.exchange.local_changed()
        assert [item.text for item in room.outbox() if item.what == "messages"] == [
            "kept for the successor"
        ]
        assert peer.check() == []
        (chain,) = net.world.log.chains(room.id)
        assert chain[1] == 1, "only what was sealed before"
