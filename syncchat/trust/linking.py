"""Linking a device: what keeps seven emoji honest, and the short code that a person types.

The device that lets another in (*the old one*) and the one that comes (*the new one*) never meet
but through a relay, which may be anybody's. In order:

1. The old device opens an invite with a *commitment*: a hash of a nonce that it keeps to itself.
2. The new device, which has read that, asks: its keys, its consent, the same commitment, and a
   fresh nonce of its own, all in one signed record.
3. The old device answers one such record, the first, with the nonce. Both show the emoji of the
   nonce and the hash of that record.

So whoever stands between has chosen all that they will ever say to either side before they learn
what the emoji are made of: to the new device the commitment before its nonce, to the old one the
record before its nonce. They cannot search for keys, or nonces, with which both sides show the
same; they have one try for each link, and one chance in four million million. (The pattern is that
of Vaudenay, "Secure communications over insecure channels based on short authenticated strings",
CRYPTO 2005.)

The commitment is keyed with the invite's seed. Who does not know the link or the code makes none
that opens at the new device.

**The code** is twelve characters, eleven of them random: 55 bits. All that it is for is that the
two find each other: the invite's seed is made from it, and the relay says in which room an invite
is whose public key one knows. The seed costs a quarter of a GiB and some tenths of a second
(``passphrase``), so that nobody tries all codes within its fifteen minutes, the relay included.
The last character is a check: one wrong character and two that changed places are always noticed.
"""

from __future__ import annotations

import hashlib

from ..errors import DecodeError, InviteError
from ..ids import base32_from_int, int_from_base32
from ..ports import Random
from .keys import DeviceKeys
from .passphrase import stretch
from .safety import emoji_check

NONCE_BYTES = 16
CODE_CHARS = 12
GROUP_CHARS = 4
_RANDOM_BITS = 5 * (CODE_CHARS - 1)
_NONCE_DOMAIN = b"syncchat link nonce 1\0"
_SALT = b"syncchat code 1\0"
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": "", "\t": ""})
_FIELD = 0b100101
"""x^5 + x^2 + 1: the field of 32 elements, in which x has order 31."""


def answer_nonce(keys: DeviceKeys, *, room: bytes, invite: bytes) -> bytes:
    """Return the nonce with which a device answers by an invite that it made.

    It is drawn from the device's own signature, so nobody else can tell it before it is said, and
    the device need not keep it.
    """
    drawn = keys.sign(_NONCE_DOMAIN + room + invite)
    return hashlib.blake2b(drawn, digest_size=NONCE_BYTES, person=b"syncchat nonce 1").digest()


def commitment(seed: bytes, *, room: bytes, nonce: bytes) -> bytes:
    """Return what an invite of ``seed`` says about the nonce of its answer."""
    return hashlib.blake2b(
        room + nonce, key=seed, digest_size=32, person=b"syncchat link 1"
    ).digest()


def link_emoji(*, room: bytes, request: bytes, nonce: bytes) -> tuple[str, ...]:
    """Return the emoji of a linking; ``request`` is the hash of the record that asks."""
    return emoji_check(room, request, nonce)


def new_code(random: Random) -> str:
    """Return a fresh code, in groups as people read it."""
    drawn = int.from_bytes(random.bytes(8)) >> 64 - _RANDOM_BITS
    text = base32_from_int(drawn, chars=CODE_CHARS - 1)
    return shown_code(text + base32_from_int(_check(text), chars=1))


def read_code(typed: str) -> str:
    """Return the code that a person typed, without groups.

    Small letters, other groups, and O, I and L for 0 and 1 are understood. Raises ``InviteError``
    that says what is wrong.
    """
    code = typed.strip().upper().translate(_READ_AS)
    if len(code) != CODE_CHARS:
        raise InviteError(f"a code has {CODE_CHARS} characters, this has {len(code)}")
    try:
        int_from_base32(code, bits=5 * CODE_CHARS)
        check = int_from_base32(code[-1], bits=5)
    except DecodeError:
        raise InviteError("a code has digits, and letters without U; look at it again") from None
    if _check(code[:-1]) != check:
        raise InviteError("the code is mistyped: a character is wrong; compare it with the other")
    return code


def shown_code(code: str) -> str:
    """Return a code in groups."""
    return "-".join(code[at : at + GROUP_CHARS] for at in range(0, CODE_CHARS, GROUP_CHARS))


def code_seed(code: str) -> bytes:
    """Return the seed of the invite that a code stands for; slow on purpose.

    Raises ``InviteError`` for what is no code, ``StorageError`` where the memory is lacking.
    """
    return stretch(read_code(code), _SALT)


def _check(text: str) -> int:
    """Return the check character's number: the others as a polynomial, at x and without its
    constant term. Each place weighs something else, so no two may change places."""
    check = 0
    for char in text:
        check = _times_x(check ^ int_from_base32(char, bits=5))
    return check


def _times_x(element: int) -> int:
    doubled = element << 1
    return doubled ^ _FIELD if doubled & 0b100000 else doubled
