"""What the vectors of phrases, safety numbers and emoji are made from."""

from __future__ import annotations

from typing import Any

from syncchat.trust import linking, safety
from syncchat.trust.emoji import EMOJI
from syncchat.trust.keys import DeviceKeys
from syncchat.trust.phrase import phrase_of, root_seed

BIP39 = {
    "00000000000000000000000000000000": "abandon " * 11 + "about",
    "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f": (
        "legal winner thank year wave sausage worth useful legal winner thank yellow"
    ),
    "80808080808080808080808080808080": (
        "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"
    ),
    "ffffffffffffffffffffffffffffffff": "zoo " * 11 + "wrong",
    "9e885d952ad362caeb4efe34a8e91bd2": (
        "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic"
    ),
    "23db8160a31d3e0dca3688ed941adbf3": (
        "cat swing flag economy stadium alone churn speed unique patch report train"
    ),
}
"""Entropies and phrases of the test vectors that are published with BIP-39."""

ROOTS = [DeviceKeys(bytes((n,)) * 32).public for n in range(4)]
EMOJI_PARTS = ((b"",), (b"one", b"two"), (b"onet", b"wo"), (bytes(range(32)), bytes(32), b"end"))

CODE = "7K3Q-MX9T-BR21"


def trust_word_vectors() -> dict[str, Any]:
    """Return phrases with the root they stand for, safety numbers and emoji checks."""
    return {
        "phrases": [_phrase(bytes.fromhex(entropy)) for entropy in BIP39],
        "safety_numbers": [
            _safety_number(mine, theirs)
            for mine, theirs in ((ROOTS[0], ROOTS[1]), (ROOTS[2], ROOTS[1]), (ROOTS[2], ROOTS[3]))
        ],
        "emoji": [list(row) for row in EMOJI],
        "emoji_checks": [
            {"parts": [part.hex() for part in parts], "shown": list(safety.emoji_check(*parts))}
            for parts in EMOJI_PARTS
        ],
        "links": [_link()],
    }


def _link() -> dict[str, Any]:
    """Return a code with all that follows from it, for a room, a request and a nonce."""
    seed = linking.code_seed(CODE)
    room, request, nonce = bytes(range(16)), bytes(range(32)), bytes(range(16, 32))
    return {
        "code": CODE,
        "seed": seed.hex(),
        "invite": DeviceKeys(seed).public.hex(),
        "room": room.hex(),
        "request": request.hex(),
        "nonce": nonce.hex(),
        "commitment": linking.commitment(seed, room=room, nonce=nonce).hex(),
        "shown": list(linking.link_emoji(room=room, request=request, nonce=nonce)),
    }


def _phrase(entropy: bytes) -> dict[str, str]:
    seed = root_seed(entropy)
    return {
        "entropy": entropy.hex(),
        "phrase": phrase_of(entropy),
        "root_seed": seed.hex(),
        "root_key": DeviceKeys(seed).public.hex(),
    }


def _safety_number(mine: bytes, theirs: bytes) -> dict[str, Any]:
    number = safety.safety_number(mine, theirs)
    return {
        "roots": [mine.hex(), theirs.hex()],
        "digits": number.digits,
        "words": list(number.words),
        "code": number.code,
    }
