"""Laws of trust: what was signed and sealed holds as it was, and in no other way."""

from __future__ import annotations

import contextlib

import nacl.bindings as sodium
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncchat.errors import DecodeError, SealBroken, TrustError
from syncchat.trust import chain, seal
from tests.unit.trust.chains import (
    ALICE,
    ROOM,
    Item,
    altered,
    flipped,
    key_of,
    longest_valid,
    write,
    write_next,
)

ITEMS, HEADS = write(16)
LENGTHS = st.integers(0, 3_000) | st.integers(0, 2**22)


@st.composite
def damaged_runs(draw: st.DrawFn) -> tuple[chain.ChainHead | None, list[Item]]:
    """Draw a run of the chain in which something was altered, left out, moved or repeated."""
    start = draw(st.integers(0, 8))
    run = ITEMS[start : start + draw(st.integers(0, 8))]
    for _ in range(draw(st.integers(0, 4))):
        if not run:
            break
        at = draw(st.integers(0, len(run) - 1))
        match draw(st.sampled_from(["signature", "body", "header", "drop", "move", "repeat"])):
            case "drop":
                del run[at]
            case "move":
                run.insert(draw(st.integers(0, len(run) - 1)), run.pop(at))
            case "repeat":
                run.insert(at, run[at])
            case part:
                raw = getattr(run[at][0], part)
                bit = draw(st.integers(0, len(raw) * 8 - 1))
                run[at] = altered(run[at], **{part: flipped(raw, bit)})
    return (HEADS[start - 1] if start else None), run


@given(damaged_runs())
def test_longest_valid_beginning_is_what_trying_every_length_finds(
    damaged: tuple[chain.ChainHead | None, list[Item]],
) -> None:
    head, run = damaged
    heads, fault = chain.extend_as_far_as_valid(ROOM, head, run)
    assert heads == longest_valid(head, run)
    assert (fault is None) == (len(heads) == len(run))
    if fault is not None:
        assert isinstance(fault, TrustError)


@given(st.lists(st.integers(1, 5), max_size=8))
def test_chain_is_the_same_however_it_is_split(sizes: list[int]) -> None:
    head, at = None, 0
    for size in sizes:
        run = ITEMS[at : at + size]
        heads = chain.extend(ROOM, head, run)
        assert heads == HEADS[at : at + size]
        head, at = (heads[-1] if heads else head), at + len(run)


@given(st.binary(max_size=600), st.data())
def test_one_flipped_bit_anywhere_is_noticed(update: bytes, data: st.DataObject) -> None:
    known = data.draw(st.sampled_from([None, HEADS[0], HEADS[7]]))
    item, _ = write_next(ALICE, known, update)
    envelope, header = item
    previous = known.link if known else chain.GENESIS
    place = chain.context(ROOM, previous, envelope.header)
    assert seal.open_sealed(key_of(ALICE), header.nonce, place, envelope.body) == update
    parts = {
        "room": ROOM,
        "previous": previous,
        "header": envelope.header,
        "body": envelope.body,
        "signature": envelope.signature,
    }
    name = data.draw(st.sampled_from(sorted(parts)))
    parts[name] = flipped(parts[name], data.draw(st.integers(0, len(parts[name]) * 8 - 1)))
    other = altered(item, header=parts["header"], body=parts["body"], signature=parts["signature"])
    before = chain.ChainHead(known.key, known.seq, parts["previous"]) if known else None
    if known or name != "previous":
        with pytest.raises(TrustError):
            chain.extend(parts["room"], before, [other])
    if name != "signature":
        place = chain.context(parts["room"], parts["previous"], parts["header"])
        with pytest.raises(SealBroken):
            seal.open_sealed(key_of(ALICE), header.nonce, place, parts["body"])


@given(st.binary(max_size=2_000) | st.binary(max_size=50).map(lambda unit: unit * 100))
def test_every_update_comes_back_from_its_body(update: bytes) -> None:
    key, nonce = key_of(ALICE), bytes(24)
    body = seal.seal(key, nonce, b"place", update)
    assert seal.open_sealed(key, nonce, b"place", body) == update
    assert len(body) <= seal.padded_length(len(update) + 2) + seal.TAG_BYTES


@given(st.binary(max_size=200))
def test_any_bytes_in_place_of_a_body_do_not_open(body: bytes) -> None:
    with pytest.raises(SealBroken):
        seal.open_sealed(key_of(ALICE), bytes(24), b"place", body)


@given(st.binary(max_size=400) | st.binary(max_size=400).map(lambda raw: b"\x01(\xb5/\xfd" + raw))
def test_anything_a_key_holder_seals_is_a_body_or_raises_decode_error_alone(text: bytes) -> None:
    key, nonce = key_of(ALICE), bytes(24)
    for sealed in (text, text + b"\x80"):
        body = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, b"place", nonce, key)
        with contextlib.suppress(DecodeError):
            assert len(seal.open_sealed(key, nonce, b"place", body)) <= 2**20


@given(LENGTHS)
def test_padding_costs_at_most_12_percent_above_the_floor(length: int) -> None:
    padded = seal.padded_length(length)
    assert padded >= length
    assert padded == 32 if length <= 32 else padded <= length * 1.12


@given(LENGTHS, LENGTHS)
def test_padding_is_monotone_and_done_once(first: int, second: int) -> None:
    low, high = sorted((first, second))
    assert seal.padded_length(low) <= seal.padded_length(high)
    assert seal.padded_length(seal.padded_length(low)) == seal.padded_length(low)


def test_padding_leaves_few_lengths_to_tell_apart() -> None:
    assert len({seal.padded_length(length) for length in range(1, 100_001)}) < 200
