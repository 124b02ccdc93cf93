"""Records: their one form, their hash, their signature and their limits."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from syncchat.errors import DecodeError, SignatureInvalid
from syncchat.trust import records
from syncchat.trust.changes import TYPES, Kind, Merge, Remove, change_of, is_strong, kind_of
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.membership import verify_change
from syncchat.trust.records import (
    NO_LOG,
    PREVS_MAX,
    RECORD_BYTES_MAX,
    Record,
    RecordHash,
    decode_record,
    is_record,
    make_record,
    verify_record,
)
from tests.support.people import CAT, NOW, OWNER, UNKNOWN_KIND, House, house

KEYS = DeviceKeys(bytes(32))
PREVS = tuple(RecordHash(bytes((n,)) * 32) for n in range(3))


def merge(*, prevs: tuple[RecordHash, ...] = PREVS, kind: int = Kind.MERGE) -> Record:
    """Return a small record."""
    return make_record(KEYS, log=NO_LOG, prevs=prevs, at_ms=NOW, kind=kind, content=Merge())


def signed(text: bytes) -> bytes:
    """Return bytes of a record with any text, truly signed."""
    signature = KEYS.sign(records._SIGN_DOMAIN + text)
    return msgspec.msgpack.encode([text, signature])


def text_with(**changed: object) -> bytes:
    """Return a text of which some fields are as said."""
    names = ("version", "log", "prevs", "signer", "at_ms", "kind", "content", "more")
    fields: dict[str, object] = dict(
        zip(names, (1, NO_LOG, [], KEYS.public, NOW, 15, b"\x90"), strict=False)
    )
    return msgspec.msgpack.encode([*(fields | changed).values()])


def test_record_comes_back_from_its_bytes_with_what_was_said() -> None:
    record = decode_record(merge(prevs=PREVS[::-1]).raw)
    assert (record.log, record.prevs, record.at_ms, record.kind) == (NO_LOG, PREVS, NOW, 15)
    assert record.signer == KEYS.public
    assert change_of(record) == Merge()
    verify_record(record)


def test_hash_is_over_the_bytes_as_sent_signature_included() -> None:
    record = merge()
    wanted = hashlib.blake2b(b"syncchat record 1\0" + record.raw, digest_size=32).digest()
    assert record.hash == wanted
    assert record.raw.endswith(record.signature)


def test_records_are_told_from_envelopes_by_the_first_byte() -> None:
    assert is_record(merge().raw)
    assert not is_record(b"\x93")
    assert not is_record(b"")


@pytest.mark.parametrize(
    "text",
    [
        text_with(version=1.0),
        text_with(version=-1),
        text_with(log=bytes(15)),
        text_with(log="0" * 16),
        text_with(prevs=[bytes(31)]),
        text_with(prevs=[PREVS[1], PREVS[0]]),
        text_with(prevs=[PREVS[0], PREVS[0]]),
        text_with(prevs=[n.to_bytes(32) for n in range(PREVS_MAX + 1)]),
        text_with(signer=bytes(33)),
        text_with(at_ms=-1),
        text_with(at_ms=2**53),
        text_with(at_ms=True),
        text_with(kind=2**31),
        text_with(content="text"),
        text_with(more=0),
        b"",
        b"\xc1",
        text_with()[:-1],
        text_with() + b"\0",
        b"\xdc\x00\x07" + text_with()[1:],
    ],
    ids=range(20),
)
def test_text_of_another_form_is_refused(text: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_record(signed(text))


def test_text_at_every_bound_is_taken() -> None:
    many = [n.to_bytes(32) for n in range(PREVS_MAX)]
    text = text_with(prevs=many, at_ms=2**53 - 1, kind=2**31 - 1, content=b"")
    record = decode_record(signed(text))
    assert len(record.prevs) == PREVS_MAX
    verify_change(record)


@pytest.mark.parametrize("extra", [[], ["more"]])
def test_record_of_a_later_version_says_what_to_do(extra: list[str]) -> None:
    fields: dict[str, object] = {"version": 2, **dict.fromkeys(extra, 7)}
    with pytest.raises(DecodeError, match="update syncchat"):
        decode_record(signed(text_with(**fields)))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x92",
        b"\x90",
        msgspec.msgpack.encode([text_with(), bytes(63)]),
        msgspec.msgpack.encode([text_with(), bytes(64), b""]),
        msgspec.msgpack.encode([text_with().decode("latin-1"), bytes(64)]),
        merge().raw + b"\0",
        b"\xdc\x00\x02" + merge().raw[1:],
        b"\x92" * 5_000,
    ],
    ids=range(9),
)
def test_bytes_of_another_form_are_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_record(raw)


def test_size_is_bounded_to_the_byte() -> None:
    def sized(extra: int) -> bytes:
        return signed(text_with(kind=UNKNOWN_KIND, content=bytes(65_536 + extra)))

    fits = RECORD_BYTES_MAX - len(sized(0))
    assert len(decode_record(sized(fits)).raw) == RECORD_BYTES_MAX
    with pytest.raises(DecodeError, match="over the limit"):
        decode_record(sized(fits + 1))
    with pytest.raises(DecodeError, match="over the limit"):
        make_record(
            KEYS,
            log=NO_LOG,
            prevs=(),
            at_ms=NOW,
            kind=5,
            content=Remove([bytes(16)] * 8_000, [], House(OWNER).epoch()),
        )


def test_signature_of_somebody_else_does_not_hold() -> None:
    record = merge()
    text = record.raw[: -len(record.signature)]
    forged = decode_record(text + DeviceKeys(b"x" * 32).sign(records._SIGN_DOMAIN + record.text))
    with pytest.raises(SignatureInvalid):
        verify_record(forged)


def test_every_kind_has_one_type_and_removals_are_among_the_strong() -> None:
    assert set(TYPES) == set(Kind)
    strong = {kind for kind in Kind if is_strong(merge(kind=kind))}
    assert strong == {
        Kind.REMOVE,
        Kind.LEAVE,
        Kind.SET_ROLE,
        Kind.DEVICES,
        Kind.REVOKE_INVITE,
    }
    assert kind_of(Merge()) == Kind.MERGE


def test_content_of_an_unknown_kind_is_not_looked_at() -> None:
    assert change_of(merge(kind=UNKNOWN_KIND)) is None
    verify_change(merge(kind=UNKNOWN_KIND))


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.MERGE])
def test_content_of_another_kind_is_refused(kind: Kind) -> None:
    for _ in range(2):
        with pytest.raises(DecodeError):
            change_of(merge(kind=kind))


def test_fields_that_a_later_version_appends_to_a_content_are_ignored() -> None:
    room = house()
    made = room.set_role(CAT, 3)  # type: ignore[arg-type]
    fields = [*msgspec.msgpack.decode(made.content), "more"]
    record = make_record(
        OWNER.device,
        log=room.id,
        prevs=(),
        at_ms=NOW,
        kind=Kind.SET_ROLE,
        content=msgspec.Raw(msgspec.msgpack.encode(fields)),  # type: ignore[arg-type]
    )
    assert change_of(record) == change_of(made)
