"""What the vectors are made from: fixed seeds, fixed nonces, one value per frame and edge."""

from __future__ import annotations

import hashlib
from typing import Any

import nacl.bindings as sodium
import zstandard

from syncchat import ids
from syncchat.core.journal import Entry, Volume
from syncchat.core.snapshots import encode_snapshot
from syncchat.core.values import Root
from syncchat.ids import RoomId, Stamp
from syncchat.trust import chain, keys, phrases, seal
from syncchat.trust.boxes import box_public
from syncchat.trust.files import FileSeal, blob_name, chunk_bytes, chunk_count
from syncchat.trust.letters import Complaint, Content, DirectRoom, seal_letter
from syncchat.trust.passphrase import stretch
from syncchat.trust.signals import seal_signal
from syncchat.trust.strongbox import Strongbox
from syncchat.wire import coverage, signal
from syncchat.wire.envelope import (
    Envelope,
    EnvelopeKind,
    Header,
    encode_envelope,
    encode_header,
)
from syncchat.wire.invite import InviteKind, InviteLink, encode_invite
from syncchat.wire.limits import VERSION
from syncchat.wire.operator_link import encode_operator_link
from tests.support.ports import chance

from . import plain
from .bases import (
    ALICE,
    BOB,
    CHALLENGE,
    INCARNATION,
    INVITE_SECRET,
    LONG_UPDATE,
    OPERATOR_SECRET,
    ROOM,
    ROOM_KEY,
)
from .frame_samples import frame_vectors, operator_proof_over
from .logs import record_vectors
from .snapshots import letting_go
from .words import trust_word_vectors


def all_files() -> dict[str, Any]:
    """Return the contents of every vector file, by name."""
    return {
        "auth": auth_vectors(),
        "backups": backup_vectors(),
        "envelopes": envelope_vectors(),
        "snapshots": snapshot_vectors(),
        "files": file_vectors(),
        "frames": frame_vectors(),
        "ids": id_vectors(),
        "invites": invite_vectors(),
        "letters": letter_vectors(),
        "operator_links": operator_link_vectors(),
        "records": record_vectors(),
        "seals": seal_vectors(),
        "signals": signal_vectors(),
        "trust_words": trust_word_vectors(),
    }


def signal_vectors() -> list[dict[str, Any]]:
    """Return the contents of signals.json."""
    contents: list[signal.Content] = [
        signal.Here(True, True, "on the train"),
        signal.Here(False),
        signal.Typing(True),
        signal.Typing(False, "0" * signal.THREAD_CHARS),
    ]
    rows = []
    for number, content in enumerate(contents, 1_700_000_000_000):
        nonce = hashlib.blake2b(number.to_bytes(8), digest_size=24).digest()
        raw = seal_signal(
            ALICE,
            content,
            room=ROOM,
            room_key=ROOM_KEY,
            epoch=3,
            number=number,
            nonce=nonce,
        )
        rows.append(
            {
                "kind": type(content).__name__,
                "fields": plain(content),
                "content": signal.encode_content(content).hex(),
                "room": ROOM.hex(),
                "room_key": ROOM_KEY.hex(),
                "device_key": ALICE.public.hex(),
                "epoch": 3,
                "number": number,
                "nonce": nonce.hex(),
                "hex": raw.hex(),
            }
        )
    return rows


def letter_vectors() -> list[dict[str, Any]]:
    """Return the contents of letters.json: the last of the three secrets opens no letter."""
    secrets = [bytes((n,)) * 32 for n in (1, 2, 3)]
    writer = bytes(range(16, 32))
    readers = [box_public(secret) for secret in secrets[:2]]
    contents: list[Content] = [
        DirectRoom(bytes(16), "ws://localhost:1"),
        Complaint("0" * 26, "spam", 1_800_000_000_000),
    ]
    return [
        {
            "kind": type(content).__name__,
            "fields": plain(content),
            "room": ROOM.hex(),
            "writer": writer.hex(),
            "secrets": [secret.hex() for secret in secrets],
            "letter": seal_letter(
                content, room=ROOM, writer=writer, readers=readers, random=chance(1)
            ),
        }
        for content in contents
    ]


def envelope_vectors() -> dict[str, Any]:
    """Return two chains in one room, and the log that they make in the order given."""
    log, fingerprint = [], chain.EMPTY_FINGERPRINT
    links: dict[str, bytes] = {}
    for who, seq, update in (
        (ALICE, 1, b"hello"),
        (ALICE, 2, "Grüße, 你好 👋".encode()),
        (BOB, 1, b""),
        (ALICE, 3, b"x" * 200),
        (BOB, 2, bytes(range(100))),
    ):
        previous = links.get(who.device, chain.GENESIS)
        row, link = _envelope_vector(who, seq, previous, update)
        links[who.device] = link
        fingerprint = chain.next_fingerprint(fingerprint, bytes.fromhex(row["envelope"]))
        log.append(row | {"log_fingerprint": fingerprint.hex()})
    return {
        "room": ROOM.hex(),
        "room_key": ROOM_KEY.hex(),
        "devices": [
            {
                "name": name,
                "seed": seed.hex(),
                "key": who.public.hex(),
                "device": who.device,
                "body_key": seal.body_key(ROOM_KEY, ROOM, who.public[:8]).hex(),
            }
            for name, seed, who in (
                ("alice", bytes(range(32)), ALICE),
                ("bob", bytes(range(32, 64)), BOB),
            )
        ],
        "genesis": chain.GENESIS.hex(),
        "empty_log_fingerprint": chain.EMPTY_FINGERPRINT.hex(),
        "log": log,
    }


def file_vectors() -> list[dict[str, Any]]:
    """Return files with what they are cut into: one of no bytes, a small one, one of two chunks."""
    rows = []
    whole = bytes(range(256)) * (chunk_bytes() // 256 + 1)
    for content in (b"", b"hello", whole[: chunk_bytes() + 1000]):
        file = FileSeal(ROOM_KEY)
        parts = [
            content[number * chunk_bytes() : (number + 1) * chunk_bytes()]
            for number in range(chunk_count(len(content)))
        ]
        blobs = [file.chunk(number, part) for number, part in enumerate(parts)]
        names = [blob_name(blob) for blob in blobs]
        manifest = file.manifest(names, size=len(content))
        rows.append(
            {
                "key": ROOM_KEY.hex(),
                "size": len(content),
                "content_blake2b": hashlib.blake2b(content, digest_size=32).hexdigest(),
                "first_bytes": content[:16].hex(),
                "blob_sizes": [len(blob) for blob in blobs],
                "names": [name.hex() for name in names],
                "small_blobs": [blob.hex() for blob in blobs if len(blob) < 100],
                "manifest": manifest.hex(),
                "root": blob_name(manifest).hex(),
            }
        )
    return rows


def auth_vectors() -> list[dict[str, Any]]:
    """Return what a device signs to enter a relay; hosts compare without case."""
    rows = []
    proof_text = keys.proof_text(room=ROOM, incarnation=INCARNATION, nonce=CHALLENGE)
    for host in ("relay.example", "Relay.EXAMPLE", "127.0.0.1", ""):
        text = keys.auth_text(host=host, incarnation=INCARNATION, nonce=CHALLENGE, version=VERSION)
        rows.append(
            {
                "host": host,
                "incarnation": INCARNATION.hex(),
                "nonce": CHALLENGE.hex(),
                "version": VERSION,
                "text": text.hex(),
                "key": ALICE.public.hex(),
                "signature": ALICE.sign(text).hex(),
                "operator_secret": OPERATOR_SECRET.hex(),
                "operator_proof": operator_proof_over(text).hex(),
                "room": ROOM.hex(),
                "room_proof": ALICE.sign(proof_text).hex(),
            }
        )
    return rows


def invite_vectors() -> list[dict[str, Any]]:
    """Return invite links with what they say."""
    invites = [
        InviteLink(ROOM, "ws://127.0.0.1:8765", InviteKind.ROOM, INVITE_SECRET, "Team"),
        InviteLink(
            ROOM, "wss://relay.example/chat", InviteKind.APPROVAL, INVITE_SECRET, "Küche 🍳"
        ),
        InviteLink(RoomId(bytes(16)), "", InviteKind.DEVICE, bytes(16), ""),
    ]
    return [
        plain(invite) | {"seed": invite.seed.hex(), "link": encode_invite(invite)}
        for invite in invites
    ]


def operator_link_vectors() -> list[dict[str, Any]]:
    """Return operator links with what they say."""
    return [
        {
            "relay": relay,
            "secret": OPERATOR_SECRET.hex(),
            "link": encode_operator_link(relay, OPERATOR_SECRET),
        }
        for relay in ("ws://127.0.0.1:8765", "wss://relay.example")
    ]


def id_vectors() -> dict[str, Any]:
    """Return ids in both forms."""
    stamps = [0, 1, 31, 32, 1 << 16, (1_700_000_000_000 << 16) | 5, 2**64 - 1]
    stamp = ids.Stamp(ids.base32_from_int(stamps[5], chars=ids.STAMP_CHARS))
    return {
        "stamps": [
            {
                "ms": number >> 16,
                "counter": number & 0xFFFF,
                "text": ids.base32_from_int(number, chars=ids.STAMP_CHARS),
            }
            for number in stamps
        ],
        "devices": [
            {"key": who.public.hex(), "text": ids.device_text(who.public)} for who in (ALICE, BOB)
        ],
        "rooms": [
            {"room": room.hex(), "text": ids.room_text(room)}
            for room in (ROOM, bytes(16), b"\xff" * 16)
        ],
        "messages": [
            {
                "stamp": stamp,
                "device": ALICE.device,
                "text": ids.message_id(stamp, ALICE.device),
            }
        ],
    }


def seal_vectors() -> dict[str, Any]:
    """Return padded lengths, and a body whose zstd frame need not come out the same again."""
    nonce = bytes(range(24))
    key = seal.body_key(ROOM_KEY, ROOM, ALICE.public[:8])
    return {
        "padded_lengths": [
            [length, seal.padded_length(length)]
            for length in (1, 32, 33, 34, 63, 64, 65, 100, 1_000, 10_000, 65_537, 1_048_578)
        ],
        "compressed": {
            "key": key.hex(),
            "nonce": nonce.hex(),
            "authenticated": b"a place".hex(),
            "update": LONG_UPDATE.hex(),
            "body": seal.seal(key, nonce, b"a place", LONG_UPDATE).hex(),
        },
        "compressed without phrases": _of_form_1(key, nonce),
        "phrases": {
            "bytes": len(phrases.DICTIONARY),
            "sha256": hashlib.sha256(phrases.DICTIONARY).hexdigest(),
        },
    }


def _of_form_1(key: bytes, nonce: bytes) -> dict[str, str]:
    """Return a body as they were written before there were phrases; nobody writes such any more."""
    frame = zstandard.ZstdCompressor(level=9, write_content_size=True).compress(LONG_UPDATE)
    text = b"\x01" + frame + b"\x80"
    text += bytes(seal.padded_length(len(text)) - len(text))
    body = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(text, b"a place", nonce, key)
    return {
        "key": key.hex(),
        "nonce": nonce.hex(),
        "authenticated": b"a place".hex(),
        "update": LONG_UPDATE.hex(),
        "body": body.hex(),
    }


def snapshot_vectors() -> dict[str, Any]:
    """Return a chain of three envelopes of one volume, and the snapshot that stands for two."""
    stamps = [Stamp(f"032YFWNN8M00{n}") for n in range(3)]
    entries = [
        Entry(Root.MESSAGES, stamps[0], '{"text":"hello"}'),
        Entry(Root.MESSAGES, stamps[1], '{"text":"to be deleted"}'),
        Entry(Root.MESSAGES, stamps[1], None),
    ]
    volume, link, known = Volume(0), chain.GENESIS, []
    for seq, entry in enumerate(entries, 1):
        _, link = _envelope_vector(ALICE, seq, link, volume.write([entry]), volume=0)
        known.append((seq, link))
    text = encode_snapshot(stamps[1], volume.export())
    covered = coverage.encode_coverage(link, coverage.ranges_of(known))
    header = Header(
        version=VERSION,
        kind=EnvelopeKind.SNAPSHOT,
        device=ALICE.public[:8],
        seq=4,
        volume=0,
        epoch=0,
        heads=b"",
        nonce=hashlib.blake2b(b"snapshot", digest_size=24).digest(),
        key=ALICE.public,
    )
    header_bytes = encode_header(header)
    context = chain.context(ROOM, link, header_bytes)
    key = seal.body_key(ROOM_KEY, ROOM, header.device)
    body = covered + seal.seal(key, header.nonce, context + covered, text)
    after = chain.link_hash(context, body, clear=len(covered))
    signature = ALICE.sign(chain.signed_text(after))
    return {
        "room": ROOM.hex(),
        "body_key": key.hex(),
        "stamp": stamps[1],
        "export": volume.export().hex(),
        "text": text.hex(),
        "previous_link": link.hex(),
        "ranges": [[first, last, end.hex()] for first, last, end in coverage.ranges_of(known)],
        "coverage": covered.hex(),
        "header": header_bytes.hex(),
        "link": after.hex(),
        "envelope": encode_envelope(Envelope(header_bytes, body, signature)).hex(),
        "letting_go": letting_go(stamps[1], volume),
    }


def _envelope_vector(
    who: keys.DeviceKeys, seq: int, previous: bytes, update: bytes, *, volume: int | None = None
) -> tuple[dict[str, Any], bytes]:
    device = who.public[:8]
    header = Header(
        version=VERSION,
        kind=EnvelopeKind.UPDATE,
        device=device,
        seq=seq,
        volume=seq // 3 if volume is None else volume,
        epoch=0,
        heads=b"",
        nonce=hashlib.blake2b(device + bytes((seq,)), digest_size=24).digest(),
        key=who.public if seq == 1 else None,
    )
    header_bytes = encode_header(header)
    authenticated = chain.context(ROOM, previous, header_bytes)
    body = seal.seal(seal.body_key(ROOM_KEY, ROOM, device), header.nonce, authenticated, update)
    link = chain.link_hash(authenticated, body)
    signature = who.sign(chain.signed_text(link))
    envelope = encode_envelope(Envelope(header_bytes, body, signature))
    row = {
        "device": who.device,
        "update": update.hex(),
        "header_fields": plain(header),
        "header": header_bytes.hex(),
        "previous_link": previous.hex(),
        "body": body.hex(),
        "link": link.hex(),
        "signature": signature.hex(),
        "envelope": envelope.hex(),
    }
    return row, link


def backup_vectors() -> dict[str, Any]:
    """Return a strongbox, and the key of a database that a passphrase locks."""
    words, salt, content = "correct horse battery staple", bytes(range(16)), b"what is kept"
    box = Strongbox(words, salt)
    header = b"SYNC\x01" + bytes(range(0xC0, 0xCB))
    return {
        "passphrase": words,
        "salt": salt.hex(),
        "content": content.hex(),
        "box": (box.head + b"".join(box.seal([content]))).hex(),
        "database": {
            "passphrase": words,
            "header": header.hex(),
            "key": stretch(words, header).hex(),
        },
    }
