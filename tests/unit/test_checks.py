"""Checks: each kind of fault is found and named, and a rebuild mends what can be mended."""

from __future__ import annotations

import pytest

from syncchat.storage import chains
from tests.contracts.chains import with_broken_signature
from tests.support.devices import Device
from tests.support.peers import Inbox


@pytest.fixture
def inbox() -> Inbox:
    made, device = Inbox(), Device(1)
    message, entry = device.message("hello")
    made.deliver(device.write(entry), device.write(device.react(message, "👍")))
    made.room.send("mine")
    assert made.peer.check() == []
    return made


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        ("update message set edited = 'forged', edited_at = '0000000000001'", "the digest"),
        ("update tally set digest = zeroblob(32)", "the digest"),
        ("update message set unread = 0", "marked unread"),
        ("delete from mark", "does not hold what its updates say"),
        ("update chain set seq = seq + 1", "the chain's head"),
        ("update chain set link = zeroblob(32)", "the chain's head"),
        ("update envelope set raw = zeroblob(200) where seq = 2", "do not hold"),
        ("update chain set frozen = 'for a test'", "for a test"),
    ],
)
def test_fault_is_found_and_named(inbox: Inbox, damage: str, fault: str) -> None:
    with inbox.db.atomic():
        inbox.db.execute(damage)
    assert any(fault in text for text in inbox.peer.check())


def test_damaged_signature_that_a_later_one_covers_is_found(inbox: Inbox) -> None:
    """The last signature still proves the chain, but no relay would take this copy."""
    ((chain, raw),) = inbox.db.rows("select chain, raw from envelope where seq = 1 limit 1")
    with inbox.db.atomic():
        chains.mend_envelope(inbox.db, chain, 1, with_broken_signature(bytes(raw)))
    assert any("signature" in text for text in inbox.peer.check())


@pytest.mark.parametrize(
    "damage",
    [
        "update message set edited = 'forged', edited_at = '0000000000001'",
        "update tally set digest = zeroblob(32)",
        "update message set unread = 0",
        "delete from mark",
        "delete from message",
        "delete from field",
    ],
)
def test_rebuild_mends_a_damaged_view(inbox: Inbox, damage: str) -> None:
    kept = inbox.room.digest(), inbox.room.messages(), inbox.room.unread()
    with inbox.db.atomic():
        inbox.db.execute(damage)
    inbox.peer.rebuild()
    assert (inbox.room.digest(), inbox.room.messages(), inbox.room.unread()) == kept
    assert inbox.peer.check() == []
