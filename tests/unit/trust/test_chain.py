"""Tests of chains: what one signature proves, and what it does not let pass."""

from __future__ import annotations

import pytest

from syncchat.errors import ChainBroken, SignatureInvalid, TrustError
from syncchat.ids import DeviceKey
from syncchat.trust import chain
from syncchat.wire.envelope import decode_envelope, encode_envelope
from tests import vectors
from tests.contracts.chains import with_broken_signature

from .chains import ALICE, BOB, ROOM, altered, flipped, write

ITEMS, HEADS = write(6)


def test_links_signatures_and_fingerprints_are_those_of_the_vectors() -> None:
    file = vectors.load("envelopes")
    room, fingerprint = bytes.fromhex(file["room"]), chain.EMPTY_FINGERPRINT
    heads: dict[str, chain.ChainHead] = {}
    for row in file["log"]:
        item = decode_envelope(bytes.fromhex(row["envelope"]))
        before = heads.get(row["device"])
        assert (before.link if before else chain.GENESIS).hex() == row["previous_link"]
        [head] = chain.extend(room, before, [item])
        assert head.link.hex() == row["link"]
        fingerprint = chain.next_fingerprint(fingerprint, bytes.fromhex(row["envelope"]))
        assert fingerprint.hex() == row["log_fingerprint"]
        heads[row["device"]] = head
    assert {head.key.hex() for head in heads.values()} == {row["key"] for row in file["devices"]}


def test_run_that_follows_on_gives_the_head_after_each_envelope() -> None:
    assert chain.extend(ROOM, None, ITEMS) == HEADS
    assert chain.extend(ROOM, HEADS[2], ITEMS[3:]) == HEADS[3:]
    assert chain.extend(ROOM, None, []) == []
    assert chain.extend(ROOM, HEADS[2], []) == []


def test_every_flipped_bit_of_an_envelope_is_noticed() -> None:
    for at in range(3):  # in the middle of a run, and at its end
        head = HEADS[at - 1] if at else None
        envelope = ITEMS[at][0]
        for name in ("header", "body", "signature"):
            part = getattr(envelope, name)
            for bit in range(len(part) * 8):
                item = altered(ITEMS[at], **{name: flipped(part, bit)})
                with pytest.raises(TrustError):
                    chain.extend(ROOM, head, [item])
                if name != "signature":
                    with pytest.raises(TrustError):
                        chain.extend(ROOM, head, [item, *ITEMS[at + 1 : 4]])


def test_every_flipped_bit_of_the_room_is_noticed() -> None:
    for bit in range(len(ROOM) * 8):
        with pytest.raises(SignatureInvalid):
            chain.extend(flipped(ROOM, bit), None, ITEMS)


def test_every_flipped_bit_of_the_previous_link_is_noticed() -> None:
    for bit in range(chain.LINK_BYTES * 8):
        head = chain.ChainHead(ALICE.public, 3, flipped(HEADS[2].link, bit))
        with pytest.raises(SignatureInvalid):
            chain.extend(ROOM, head, ITEMS[3:])


def test_every_flipped_bit_of_the_known_key_is_noticed() -> None:
    for bit in range(256):
        key = DeviceKey(flipped(ALICE.public, bit))
        with pytest.raises(TrustError):
            chain.extend(ROOM, chain.ChainHead(key, 3, HEADS[2].link), ITEMS[3:])


@pytest.mark.parametrize(
    ("head", "run"),
    [
        (None, ITEMS[1:]),
        (HEADS[0], ITEMS[:1]),
        (HEADS[0], ITEMS[2:]),
        (HEADS[2], ITEMS[:3]),
        (None, [ITEMS[0], ITEMS[0]]),
        (None, [ITEMS[0], ITEMS[2], ITEMS[1]]),
        (None, [ITEMS[0], ITEMS[2]]),
    ],
    ids=["no start", "repeated", "gap", "replayed", "twice", "swapped", "hole"],
)
def test_run_that_does_not_follow_on_breaks_the_chain(
    head: chain.ChainHead | None, run: list[chain.ChainHead]
) -> None:
    with pytest.raises(ChainBroken):
        chain.extend(ROOM, head, run)  # type: ignore[arg-type]


def test_envelope_of_another_device_breaks_the_chain() -> None:
    others, _ = write(6, device=BOB)
    with pytest.raises(ChainBroken, match="another device"):
        chain.extend(ROOM, HEADS[2], others[3:])


def test_another_history_of_the_same_device_is_noticed() -> None:
    others, other_heads = write(6, head=None)
    assert others == ITEMS
    fork, _ = write(2, head=chain.ChainHead(ALICE.public, 2, bytes(32)))
    with pytest.raises(SignatureInvalid):
        chain.extend(ROOM, HEADS[1], fork)
    assert other_heads == HEADS


def test_bad_signature_inside_a_run_does_not_end_what_a_later_one_proves() -> None:
    run = list(ITEMS)
    run[0] = altered(run[0], signature=bytes(64))
    run[4] = altered(run[4], body=flipped(run[4][0].body, 0))
    heads, fault = chain.extend_as_far_as_valid(ROOM, None, run)
    assert heads == HEADS[:4]
    assert isinstance(fault, SignatureInvalid)


@pytest.mark.parametrize("bad", range(6))
def test_valid_beginning_ends_before_the_altered_envelope(bad: int) -> None:
    run = list(ITEMS)
    run[bad] = altered(run[bad], body=flipped(run[bad][0].body, 7))
    heads, fault = chain.extend_as_far_as_valid(ROOM, None, run)
    assert heads == HEADS[:bad]
    assert isinstance(fault, SignatureInvalid)


@pytest.mark.parametrize("missing", range(5))
def test_valid_beginning_ends_before_a_gap(missing: int) -> None:
    run = ITEMS[:missing] + ITEMS[missing + 1 :]
    heads, fault = chain.extend_as_far_as_valid(ROOM, None, run)
    assert heads == HEADS[:missing]
    assert isinstance(fault, ChainBroken)


def test_whole_run_without_a_fault_has_no_reason_to_end() -> None:
    assert chain.extend_as_far_as_valid(ROOM, None, ITEMS) == (HEADS, None)
    assert chain.extend_as_far_as_valid(ROOM, HEADS[0], []) == ([], None)


def test_good_run_costs_one_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []
    monkeypatch.setattr(chain, "verify", lambda key, text, signature: calls.append(text))
    chain.extend(ROOM, None, ITEMS)
    chain.extend_as_far_as_valid(ROOM, None, ITEMS)
    assert calls == [chain.signed_text(HEADS[-1].link)] * 2


def test_log_fingerprint_tells_order_content_and_signatures() -> None:
    raws = [encode_envelope(envelope) for envelope, _ in ITEMS]
    damaged = [with_broken_signature(raws[0]), *raws[1:]]

    def fingerprint(order: list[bytes]) -> bytes:
        value = chain.EMPTY_FINGERPRINT
        for raw in order:
            value = chain.next_fingerprint(value, raw)
        return value

    seen = {fingerprint(raws[:n]) for n in range(7)} | {fingerprint(raws[::-1])}
    assert len(seen | {fingerprint(damaged)}) == 9
    assert {len(value) for value in seen} == {chain.FINGERPRINT_BYTES}
