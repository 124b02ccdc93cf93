"""Safety numbers and the emoji check: what people compare to know that nobody stands between.

**A safety number** is of two people. Each person's root key is hashed 5,200 times to a
*fingerprint*; the two, the smaller first, make the number, so both people see the same. It is
shown as 60 digits, as twelve words or as a QR code, and each form is those bytes again: 30 digits,
6 words or 32 bytes for each person.

The construction is that of Signal's numeric fingerprints (Marlinspike, "Safety number updates",
2016): a fingerprint for each person, because a hash of both keys together could be attacked from
both ends at once, and iterations, because each makes a search for a key with the same digits
dearer. Ours hashes with BLAKE2b and has no phone number in it. To pass for somebody takes about
2^112 hashes against the digits, 2^78 against the words, and a break of BLAKE2b against the code.

**The emoji check** is of two devices: seven emoji for a hash over what both have exchanged. Its 42
bits are few, and whoever may choose what is hashed after having seen the rest finds a match within
hours. So each side must have committed to its part (sent a hash of it) before it sees the other's;
then there is one try, and one chance in four million million.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum, auto

from ..errors import DecodeError, ValidationError
from ..ids import base32_from_int, int_from_base32
from .emoji import EMOJI
from .phrase import words_of

ROOT_BYTES = 32
ITERATIONS = 5_200
DIGIT_GROUPS = 12
WORDS = 12
_DIGEST_BYTES = 64
_CODE_BYTES = 32
_CODE_CHARS = 52
_PERSON_WORD_BITS = WORDS // 2 * 11
_EMOJI_SHOWN = 7
_EMOJI_BITS = 6
_CODE_KIND = "SYNCCHAT-SAFETY"
_CODE_VERSION = "1"


class Scan(Enum):
    """Is what a scanned code says; only ``SAME`` is a passed check.

    ``OTHERS`` may be the code of two other people, and is also what somebody who stands between
    two people causes.
    """

    SAME = auto()
    THEIRS_DIFFERS = auto()
    """They have another root key than the one that is known here."""
    MINE_DIFFERS = auto()
    """They know another root key for me."""
    OTHERS = auto()


@dataclass(frozen=True, slots=True)
class SafetyNumber:
    """Is the safety number of two people, in each of its forms."""

    digits: str
    words: tuple[str, ...]
    code: str
    """The text of the QR code; all its characters are of the code's denser alphabet."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the digits as people read them, twelve groups of five."""
        return tuple(self.digits[at : at + 5] for at in range(0, DIGIT_GROUPS * 5, 5))


def safety_number(mine: bytes, theirs: bytes) -> SafetyNumber:
    """Return the safety number of two people from their root keys, in whatever order.

    Takes some milliseconds. Raises ``ValidationError`` for what is no key, and for one key twice.
    """
    prints = sorted(_fingerprints(mine, theirs))
    digits: list[str] = []
    words: list[str] = []
    codes: list[str] = []
    for each in prints:
        fives = (int.from_bytes(each[at : at + 5]) for at in range(0, DIGIT_GROUPS // 2 * 5, 5))
        digits.extend(f"{five % 100_000:05}" for five in fives)
        bits = int.from_bytes(each) >> _DIGEST_BYTES * 8 - _PERSON_WORD_BITS
        words.extend(words_of(bits, count=WORDS // 2))
        codes.append(_code_of(each))
    return SafetyNumber("".join(digits), tuple(words), _join(codes))


def read_scan(code: str, *, mine: bytes, theirs: bytes) -> Scan:
    """Return what the QR code on the other person's screen says about both root keys.

    Raises ``DecodeError`` for what is no safety number, or one of another version.
    """
    scanned = _split(code)
    me, them = _fingerprints(mine, theirs)
    match _code_of(me) in scanned, _code_of(them) in scanned:
        case True, True:
            return Scan.SAME
        case True, False:
            return Scan.THEIRS_DIFFERS
        case False, True:
            return Scan.MINE_DIFFERS
    return Scan.OTHERS


def emoji_check(*parts: bytes) -> tuple[str, ...]:
    """Return the seven emoji of ``parts``, which both sides must give in the same order.

    Read the module's text about commitments before using it. ``emoji.emoji_name`` names them.
    """
    if not parts:
        raise ValidationError("an emoji check is over what both sides have sent; give it parts")
    text = b"".join(len(part).to_bytes(4) + part for part in parts)
    digest = hashlib.blake2b(text, digest_size=32, person=b"syncchat emoji 1").digest()
    bits = int.from_bytes(digest) >> len(digest) * 8 - _EMOJI_SHOWN * _EMOJI_BITS
    places = (bits >> _EMOJI_BITS * place & 0x3F for place in reversed(range(_EMOJI_SHOWN)))
    return tuple(EMOJI[place][0] for place in places)


def _fingerprints(mine: bytes, theirs: bytes) -> tuple[bytes, bytes]:
    if mine == theirs:
        raise ValidationError("a safety number is of two people, and these are one; take another")
    return _fingerprint(mine), _fingerprint(theirs)


def _fingerprint(root: bytes) -> bytes:
    if len(root) != ROOT_BYTES:
        raise ValidationError(f"a root key has {ROOT_BYTES} bytes, this has {len(root)}")
    digest = b""
    for _ in range(ITERATIONS):
        digest = hashlib.blake2b(
            digest + root, digest_size=_DIGEST_BYTES, person=b"syncchat safe 1"
        ).digest()
    return digest


def _code_of(fingerprint: bytes) -> str:
    return base32_from_int(int.from_bytes(fingerprint[:_CODE_BYTES]), chars=_CODE_CHARS)


def _join(codes: list[str]) -> str:
    return ":".join((_CODE_KIND, _CODE_VERSION, *codes))


def _split(code: str) -> list[str]:
    kind, *rest = code.strip().upper().split(":")
    if kind != _CODE_KIND or not rest:
        raise DecodeError("this is not the code of a safety number; scan the one they show")
    version, *codes = rest
    if version != _CODE_VERSION:
        raise DecodeError("this safety number is of another version; update syncchat on both sides")
    if [len(each) for each in codes] != [_CODE_CHARS, _CODE_CHARS]:
        raise DecodeError("the code of the safety number is damaged; scan it again")
    for each in codes:
        int_from_base32(each, bits=_CODE_BYTES * 8)
    return codes
