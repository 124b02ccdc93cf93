"""Signed logs, boxes and commitments against their golden bytes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from syncchat.trust.boxes import box_public, link_key, open_box, open_link, seal_box
from syncchat.trust.changes import Kind, change_of
from syncchat.trust.epochs import commitment, is_committed
from syncchat.trust.membership import fold_group, room_of, verify_change
from syncchat.trust.person import content_of, fold_person, personal_room, user_of, verify_person
from syncchat.trust.records import Record, decode_record
from tests import vectors
from tests.vectors.logs import state_of

FILE = vectors.load("records")


class Told:
    """Gives the bytes that a vector names."""

    def __init__(self, given: str) -> None:
        self._given = bytes.fromhex(given)

    def bytes(self, size: int) -> bytes:
        assert size == len(self._given)
        return self._given

    def uniform(self, low: float, high: float) -> float:
        return low


def records_of(log: list[dict[str, Any]]) -> list[Record]:
    """Return the records of a vector's log, each of which is as its row says."""
    found = []
    for row in log:
        record = decode_record(bytes.fromhex(row["record"]))
        assert record.hash.hex() == row["hash"]
        assert record.kind == row["kind"]
        assert record.signer.hex() == row["signer"]
        assert [prev.hex() for prev in record.prevs] == row["prevs"]
        assert record.at_ms == row["at_ms"]
        found.append(record)
    return found


@pytest.mark.parametrize("row", FILE["boxes"], ids=range(len(FILE["boxes"])))
def test_box_is_sealed_and_opened_as_the_vector_says(row: dict[str, str]) -> None:
    holder, secret = bytes.fromhex(row["holder_secret"]), bytes.fromhex(row["secret"])
    assert box_public(holder).hex() == row["holder_public"]
    sealed = seal_box(box_public(holder), secret, Told(row["ephemeral_seed"]))
    assert sealed.hex() == row["box"]
    assert open_box(holder, sealed) == secret


@pytest.mark.parametrize("row", FILE["links"], ids=range(len(FILE["links"])))
def test_link_is_made_and_opened_as_the_vector_says(row: dict[str, str]) -> None:
    new, old = bytes.fromhex(row["new"]), bytes.fromhex(row["old"])
    link = link_key(new, old, Told(row["nonce"]))
    assert link.hex() == row["link"]
    assert open_link(new, link) == old


def test_commitments_are_those_of_the_vectors() -> None:
    for row in FILE["commitments"]:
        made = commitment(bytes.fromhex(row["room"]), row["number"], bytes.fromhex(row["key"]))
        assert made.hex() == row["commitment"]


def test_persons_log_comes_to_what_the_vector_says() -> None:
    told = FILE["person"]
    records = records_of(told["log"])
    verify_person(records)
    person = fold_person(records)
    assert person.root.hex() == told["root"]
    assert user_of(person.root).hex() == told["user"]
    assert personal_room(person.root).hex() == told["personal_room"]
    assert [device.key.hex() for device in person.active] == told["active"]
    assert (person.generation, person.user_key.hex()) == (told["generation"], told["user_key"])
    for number, secret in enumerate(told["user_secrets"]):
        assert box_public(bytes.fromhex(secret)) == person.user_keys[number]
    for row, record in zip(told["log"], records, strict=True):
        assert vectors.plain(content_of(record)) == row["content_fields"]


def test_rooms_log_comes_to_what_the_vector_says_and_has_every_kind() -> None:
    told = FILE["room"]
    records = records_of(told["log"])
    assert {row["name"] for row in told["log"]} == {kind.name.lower() for kind in Kind} | {
        "unknown"
    }
    for row, record in zip(told["log"], records, strict=True):
        verify_change(record)
        assert vectors.plain(change_of(record)) == row["content_fields"]
    assert room_of(records[0]).hex() == told["room"]
    assert state_of(records) == told["state"]
    assert told["state"]["refused"] == {}
    group = fold_group(records)
    for number, key in enumerate(told["room_keys"]):
        assert is_committed(group, number, bytes.fromhex(key))


@pytest.mark.parametrize(("name", "refused"), [("fork", 2), ("fork_by_link", 5)])
def test_forked_log_comes_to_what_the_vector_says_in_any_order(name: str, refused: int) -> None:
    told = FILE[name]
    records = [decode_record(bytes.fromhex(raw)) for raw in told["records"]]
    for order in itertools.islice(itertools.permutations(records), 0, 40_320, 1_009):
        assert state_of(list(order)) == told["state"]
    for record in records:
        verify_change(record)
    assert len(told["state"]["refused"]) == refused
