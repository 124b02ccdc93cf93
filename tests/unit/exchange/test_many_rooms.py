"""What the exchange does for a peer of many rooms."""

from __future__ import annotations

from tests.support.peers import RELAY, Net, make_peer


def _statements_per_room(count: int) -> float:
    """Return how many SQL statements the first sync of rooms takes for each of them."""
    statements: list[str] = []
    with make_peer(1) as peer:
        for number in range(count):
            peer.create_room(f"room {number}", relay=RELAY).send("hello")
        peer._db._conn.set_trace_callback(statements.append)
        net = Net()
        net.connect(peer)
        net.settle()
        peer._db._conn.set_trace_callback(None)
        assert all(room.outbox() == [] for room in peer.rooms())
    return len(statements) / count


def test_first_sync_of_many_rooms_does_not_ask_about_all_of_them_after_each_frame() -> None:
    assert _statements_per_room(160) < 1.3 * _statements_per_room(40)
