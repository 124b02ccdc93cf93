"""Recovery phrases: 128 bits of entropy as twelve English words, and the root seed made from them.

The words are those of BIP-39 (Bitcoin Improvement Proposal 39): eleven bits a word, 128 of them
entropy and the last four a checksum. What BIP-39 then does with the words, PBKDF2 to a seed for
coins, is not done here; the root seed is a hash of the entropy. The list comes from the package
``mnemonic``, which is loaded when the first phrase is made or read.

The list is made for people: no word begins with the same four letters as another. So four letters
are enough when typing a phrase, and a slip of the pen is often found by the checksum. Often only:
one wrong choice in sixteen passes it and gives another root key, which no relay knows.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
from functools import cache

from ..errors import PhraseChecksumWrong, PhraseLengthWrong, PhraseWordUnknown, ValidationError

ENTROPY_BYTES = 16
WORDS = 12
PREFIX_CHARS = 4
"""Letters that tell every word of the list from the others."""

ROOT_SEED_BYTES = 32
_WORD_CHARS_MAX = 20
"""Letters of an unknown word that are shown and compared, which takes time for each."""

_SUGGESTIONS = 3
_BETWEEN = re.compile(r"[\s,;]+")
_NUMBERING = re.compile(r"^[(\[#]?\d{1,2}[.:)\]-]*")


def phrase_of(entropy: bytes) -> str:
    """Return the phrase of 16 secret bytes: twelve words with single spaces."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValidationError(f"a recovery phrase is made from {ENTROPY_BYTES} bytes")
    bits = int.from_bytes(entropy) << 4 | _checksum(entropy)
    return " ".join(words_of(bits, count=WORDS))


def entropy_of(phrase: str) -> bytes:
    """Return the 16 bytes that a phrase stands for, however a person has typed it.

    Case, spaces, line ends, commas and numbering do not matter, and the first four letters of a
    word are enough. Raises ``PhraseLengthWrong``, ``PhraseWordUnknown`` or
    ``PhraseChecksumWrong``, looked for in this order.
    """
    typed = _typed_words(phrase)
    if len(typed) != WORDS:
        raise PhraseLengthWrong(len(typed), expected=WORDS)
    bits = 0
    for position, word in enumerate(typed, start=1):
        bits = bits << 11 | _index_of(word, position)
    entropy = (bits >> 4).to_bytes(ENTROPY_BYTES)
    if bits & 0xF != _checksum(entropy):
        raise PhraseChecksumWrong
    return entropy


def root_seed(entropy: bytes) -> bytes:
    """Return the 32-byte seed of the root key that the 16 bytes of a phrase stand for."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValidationError(f"a root key is made from {ENTROPY_BYTES} bytes")
    return hashlib.blake2b(
        key=entropy, digest_size=ROOT_SEED_BYTES, person=b"syncchat root 1"
    ).digest()


def words_of(bits: int, *, count: int) -> tuple[str, ...]:
    """Return ``count`` words of the list for a number of 11 bits a word, high bits first."""
    list_ = word_list()
    return tuple(list_[bits >> 11 * place & 0x7FF] for place in reversed(range(count)))


@cache
def word_list() -> tuple[str, ...]:
    """Return the 2,048 words, which are in alphabetical order."""
    from mnemonic import Mnemonic

    return tuple(Mnemonic("english").wordlist)


@cache
def _indexes() -> dict[str, int]:
    """Return the place in the list of each word, and of all that it may be cut to."""
    indexes: dict[str, int] = {}
    for index, word in enumerate(word_list()):
        for length in range(min(PREFIX_CHARS, len(word)), len(word) + 1):
            indexes[word[:length]] = index
    return indexes


def _typed_words(phrase: str) -> list[str]:
    text = unicodedata.normalize("NFKC", phrase).lower()
    typed = (_NUMBERING.sub("", part).strip("\"'.:") for part in _BETWEEN.split(text))
    return [word for word in typed if word]


def _index_of(word: str, position: int) -> int:
    index = _indexes().get(word)
    if index is None:
        raise PhraseWordUnknown(word[:_WORD_CHARS_MAX], position, _like(word[:_WORD_CHARS_MAX]))
    return index


def _like(word: str) -> tuple[str, ...]:
    """Return words of the list that may have been meant, the likeliest first."""
    begins = [known for known in word_list() if len(word) > 1 and known.startswith(word)]
    close = difflib.get_close_matches(word, word_list(), n=_SUGGESTIONS, cutoff=0.65)
    return tuple(dict.fromkeys([*begins, *close]))[:_SUGGESTIONS]


def _checksum(entropy: bytes) -> int:
    return hashlib.sha256(entropy).digest()[0] >> 4
