"""Folding: the form in which texts are compared when somebody looks for words.

Case, accents, vowel points, compatibility forms and what cannot be seen do not count: ``fold``
makes ``Café``, ``CAFE`` and ``ca\\u200bfe\\u0301`` the same. A **word** begins where letters or
digits begin, and after white space. Some characters are **words by themselves**: those of scripts
that write no spaces, and symbols, emoji included.

An index of *pieces* (three characters each) finds texts that may hold a term; whether they do is
seen on the folded text itself, so an index may give too many, and never too few:

=========================  =========================  ============================================
term                       is found where             pieces that the index is asked for
=========================  =========================  ============================================
three characters or more   it stands                  some of its own
a word by itself, or more  it stands                  with spaces around each such: see ``spread``
two letters, or signs      a word begins with it      with each sign that may stand before it
one letter                 a word begins with it      none: it is too short to look up
=========================  =========================  ============================================
"""

from __future__ import annotations

import hashlib
import re
import string
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

PIECE_CHARS = 3

PIECES_MAX = 12
"""Pieces of one term that are asked for: more find hardly less, and take longer to look up."""

_MARKS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff"
    "\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
"""Accents, vowel points of Hebrew and Arabic, and what else is written or left out at will."""

_UNSEEN = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\uffff\U000e0000-\U0010ffff"
)
"""Control and format characters, joiners, variation selectors, and what has no meaning."""

_DROPPED = re.compile(f"[{_MARKS}{_UNSEEN}]")
_SPACES = re.compile(" +")
_WITHOUT_SPACES = re.compile(
    "[\u0e00-\u0eff\u1000-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u31ff\u3400-\ua4cf\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, and the scripts of East Asia."""

_BEFORE_WORDS = " " + string.punctuation


def fold(text: str) -> str:
    """Return the form of ``text`` in which it is compared: one line, single spaces."""
    if text.isascii() and text.isprintable():
        return " ".join(text.lower().split())
    return " ".join(_folded(text).split())


def spread(folded: str) -> str:
    """Return folded text with spaces around each character that is a word by itself."""
    if folded.isascii():
        return folded
    return _SPACES.sub(" ", "".join(map(_spread, folded)))


def indexed(folded: str) -> str:
    """Return what is put into an index of a folded text: all pieces of it are found."""
    return f" {folded} " if folded.isascii() else f" {spread(folded).strip()} "


def is_short(folded: str) -> bool:
    """Tell whether a term counts only where a word begins."""
    return len(spread(folded)) < PIECE_CHARS


def pieces(folded: str) -> list[list[str]]:
    """Return what an index must have of a text that holds this term: one out of each list.

    Empty for what is too short to look up.
    """
    wide = spread(folded)
    if len(wide) >= PIECE_CHARS:
        starts = range(0, len(wide) - PIECE_CHARS + 1)
        step = -(-len(starts) // PIECES_MAX)
        chosen = [*starts[::step], starts[-1]]
        return [[piece] for piece in dict.fromkeys(wide[s : s + PIECE_CHARS] for s in chosen)]
    if len(wide) < PIECE_CHARS - 1:
        return []
    if _is_letter(wide[0]):
        return [[before + wide for before in _BEFORE_WORDS]]
    return [[" " + wide]]


@lru_cache(maxsize=4_096)
def facet(kind: str, value: str) -> str:
    """Return the piece that stands in an index for something else than text, as for a writer.

    It is made of characters that ``fold`` drops, so no text has it.
    """
    number = int.from_bytes(hashlib.blake2b(f"{kind} {value}".encode(), digest_size=6).digest())
    chars = []
    for _ in range(PIECE_CHARS):
        number, char = divmod(number, 0xF900 - 0xE000)
        chars.append(chr(0xE000 + char))
    return "".join(chars)


def begins_word(folded: str, at: int) -> bool:
    """Tell whether a word begins at a place in folded text."""
    if at == 0 or folded[at - 1] == " ":
        return True
    before, here = folded[at - 1], folded[at]
    return _is_alone(before) or _is_alone(here) or (_is_letter(here) and not _is_letter(before))


def ends_word(folded: str, at: int) -> bool:
    """Tell whether a word ends just before a place in folded text."""
    if at == len(folded) or folded[at] == " ":
        return True
    last, after = folded[at - 1], folded[at]
    return _is_alone(last) or _is_alone(after) or (_is_letter(last) and not _is_letter(after))


def clusters(text: str) -> Iterator[tuple[str, str]]:
    """Yield characters, each with those that melt with it when it is folded; and folded.

    Put together they are ``fold(text)``, but for spaces.
    """
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or not _melts(text[at]):
            yield text[start:at], _folded_cluster(text[start:at])
            start = at


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFKC", _DROPPED.sub("", plain))


@lru_cache(maxsize=8_192)
def _folded_cluster(cluster: str) -> str:
    return _folded(cluster)


@lru_cache(maxsize=8_192)
def _melts(char: str) -> bool:
    """Tell whether a character may become one with those before it."""
    category = unicodedata.category(char)
    return (
        category in ("Mn", "Mc", "Me")
        or "\u1160" <= char <= "\u11ff"
        or char in "\uff9e\uff9f"
        or (category != "Cc" and _DROPPED.match(char) is not None)
    )


@lru_cache(maxsize=8_192)
def _spread(char: str) -> str:
    return f" {char} " if _is_alone(char) else char


@lru_cache(maxsize=8_192)
def _is_alone(char: str) -> bool:
    """Tell whether a character of folded text is a word by itself."""
    if char < "\x80":
        return False
    if _WITHOUT_SPACES.match(char):
        return True
    return not (char.isalnum() or unicodedata.category(char) in ("Mn", "Mc", "Me"))


@lru_cache(maxsize=8_192)
def _is_letter(char: str) -> bool:
    """Tell whether a character of folded text is part of words: a letter, a digit, a mark."""
    return not _is_alone(char) and (char.isalnum() or char > "\x7f")
