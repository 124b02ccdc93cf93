"""Tests of recovery phrases: the published words, how they may be typed, what a slip is told."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
from mnemonic import Mnemonic

from syncchat.errors import (
    PhraseChecksumWrong,
    PhraseError,
    PhraseLengthWrong,
    PhraseWordUnknown,
    ValidationError,
)
from syncchat.trust import phrase
from syncchat.trust.keys import DeviceKeys
from tests import vectors
from tests.vectors.words import BIP39

PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"
WORDS = PHRASE.split()
ENTROPY = b"\x7f" * 16


def _with(position: int, word: str) -> str:
    return " ".join([*WORDS[: position - 1], word, *WORDS[position:]])


@pytest.mark.parametrize(("entropy", "words"), BIP39.items())
def test_phrases_are_those_published_with_bip_39(entropy: str, words: str) -> None:
    assert phrase.phrase_of(bytes.fromhex(entropy)) == words
    assert phrase.entropy_of(words) == bytes.fromhex(entropy)


def test_phrases_and_root_keys_are_those_of_the_vectors() -> None:
    rows = vectors.load("trust_words")["phrases"]
    assert len(rows) == len(BIP39)
    for row in rows:
        entropy = phrase.entropy_of(row["phrase"])
        seed = phrase.root_seed(entropy)
        told = (entropy.hex(), seed.hex(), DeviceKeys(seed).public.hex())
        assert told == (row["entropy"], row["root_seed"], row["root_key"])


def test_root_seed_is_a_hash_keyed_with_the_entropy_and_named_for_its_use() -> None:
    hashed = hashlib.blake2b(b"", key=ENTROPY, digest_size=32, person=b"syncchat root 1")
    assert phrase.root_seed(ENTROPY) == hashed.digest()


def test_every_word_is_told_from_the_others_by_four_letters() -> None:
    words = phrase.word_list()
    assert len(words) == 2_048
    assert sorted(words) == list(words)
    assert len({word[: phrase.PREFIX_CHARS] for word in words}) == len(words)
    assert words == tuple(Mnemonic("english").wordlist)


@pytest.mark.parametrize(
    "typed",
    [
        " ".join(WORDS).upper(),
        "  " + " \t\r\n ".join(WORDS) + "\n",
        ", ".join(WORDS),
        ";".join(WORDS) + ".",
        "\u00a0".join(WORDS),
        " ".join(word[:4] for word in WORDS),
        " ".join(word[:5].title() for word in WORDS),
        "\n".join(f"{n}. {word}" for n, word in enumerate(WORDS, start=1)),
        "\n".join(f"{n:02}) {word}" for n, word in enumerate(WORDS, start=1)),
        " ".join(f"{n}.{word}" for n, word in enumerate(WORDS, start=1)),
        " ".join(f"({n}) {word}," for n, word in enumerate(WORDS, start=1)),
        " ".join(f"#{n}: {word}" for n, word in enumerate(WORDS, start=1)),
        '"' + " ".join(WORDS) + '"',
        "".join(char if char == " " else chr(ord(char) + 0xFEE0) for char in " ".join(WORDS)),
    ],
)
def test_phrase_is_read_however_it_was_written_down(typed: str) -> None:
    assert phrase.entropy_of(typed) == ENTROPY


def test_short_word_that_begins_longer_ones_stands_for_itself() -> None:
    index = {word: number for number, word in enumerate(phrase.word_list())}
    bits = 0
    for word in [*["act"] * 11, "action"]:
        bits = bits << 11 | index[word]
    entropy = (bits >> 4).to_bytes(16)
    words = phrase.phrase_of(entropy).split()
    assert words[:11] == ["act"] * 11
    assert phrase.entropy_of(" ".join(words)) == entropy


@pytest.mark.parametrize(
    ("position", "word", "meant"),
    [(1, "legla", "legal"), (3, "thnak", "thank"), (12, "yelow", "yellow"), (5, "wav", "wave")],
)
def test_unknown_word_is_named_with_its_position_and_like_words(
    position: int, word: str, meant: str
) -> None:
    with pytest.raises(PhraseWordUnknown) as caught:
        phrase.entropy_of(_with(position, word))
    assert (caught.value.word, caught.value.position) == (word, position)
    assert caught.value.suggestions[0] == meant
    assert 1 <= len(caught.value.suggestions) <= 3
    assert str(caught.value).startswith(f"word {position}, {word!r}, is not in the list")
    assert f"did you mean {meant}" in str(caught.value)


def test_first_of_several_unknown_words_is_named() -> None:
    with pytest.raises(PhraseWordUnknown) as caught:
        phrase.entropy_of(" ".join([*WORDS[:10], "qqqq", "xxxx"]))
    assert (caught.value.word, caught.value.position) == ("qqqq", 11)
    assert caught.value.suggestions == ()


@pytest.mark.parametrize("longer", ["legally", "legalx", "legall"])
def test_word_with_letters_too_many_is_not_taken_for_its_beginning(longer: str) -> None:
    with pytest.raises(PhraseWordUnknown):
        phrase.entropy_of(_with(1, longer))


def test_unknown_word_is_shown_without_control_characters_and_cut() -> None:
    with pytest.raises(PhraseWordUnknown) as caught:
        phrase.entropy_of(_with(2, "\x1b[31m" + "q" * 300))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("count", [0, 1, 11, 13, 24])
def test_phrase_of_another_length_is_refused_with_the_number_of_its_words(count: int) -> None:
    with pytest.raises(PhraseLengthWrong, match=f"has 12 words and this has {count}") as caught:
        phrase.entropy_of(" ".join((WORDS * 2)[:count]))
    assert caught.value.count == count


def test_text_that_is_far_too_long_is_refused_in_no_time() -> None:
    with pytest.raises(PhraseLengthWrong):
        phrase.entropy_of("q" * 1_000_000)
    with pytest.raises(PhraseWordUnknown) as caught:
        phrase.entropy_of(" ".join(["q" * 1_000_000] * 12))
    assert caught.value.word == "q" * 20


def test_words_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(PhraseChecksumWrong, match="compare each"):
        phrase.entropy_of(_with(12, "zoo"))


@pytest.mark.parametrize("size", [0, 15, 17, 32])
def test_entropy_of_another_size_makes_neither_phrase_nor_root(size: int) -> None:
    with pytest.raises(ValidationError, match="16 bytes"):
        phrase.phrase_of(bytes(size))
    with pytest.raises(ValidationError, match="16 bytes"):
        phrase.root_seed(bytes(size))


def test_word_list_is_loaded_when_it_is_needed() -> None:
    code = (
        "import sys, syncchat.trust.phrase as p, syncchat.trust.safety, syncchat.apps.qr as q\n"
        "assert not {'mnemonic', 'segno'} & set(sys.modules)\n"
        "p.phrase_of(bytes(16)); q.qr_columns('x')\n"
        "assert {'mnemonic', 'segno'} <= set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_errors_of_a_phrase_are_those_of_an_argument() -> None:
    for kind in (PhraseLengthWrong, PhraseWordUnknown, PhraseChecksumWrong):
        assert issubclass(kind, PhraseError)
        assert issubclass(kind, ValidationError)
