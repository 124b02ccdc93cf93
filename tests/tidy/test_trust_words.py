"""House rules about the page of trust words: its examples are those of the vectors."""

from __future__ import annotations

import inspect

from syncchat import errors
from syncchat.trust import linking
from syncchat.trust.emoji import EMOJI, emoji_name
from syncchat.trust.phrase import root_seed
from syncchat.trust.safety import ITERATIONS, Scan
from tests import vectors

from .tree import ROOT

PAGE = (ROOT / "docs" / "reference" / "trust-words.md").read_text(encoding="utf-8")
VECTORS = vectors.load("trust_words")


def test_page_shows_a_phrase_of_the_vectors_with_its_root() -> None:
    row = VECTORS["phrases"][1]
    assert [name for name, value in row.items() if f"| `{value}` |" not in PAGE] == []
    assert root_seed(bytes.fromhex(row["entropy"])).hex() in PAGE


def test_page_shows_a_safety_number_of_the_vectors_in_every_form() -> None:
    row = VECTORS["safety_numbers"][0]
    groups = " ".join(row["digits"][at : at + 5] for at in range(0, 60, 5))
    told = [*row["roots"], groups, " ".join(row["words"]), row["code"]]
    assert [value for value in told if f"| `{value}` |" not in PAGE] == []
    assert f"{ITERATIONS:,} times" in PAGE


def test_page_shows_an_emoji_check_of_the_vectors_with_its_names() -> None:
    row = VECTORS["emoji_checks"][1]
    assert all(f"`{part}`" in PAGE for part in row["parts"])
    assert " ".join(row["shown"]) in PAGE
    assert f"({', '.join(emoji_name(emoji) for emoji in row['shown'])})" in PAGE


def test_page_shows_the_code_of_the_vectors_with_all_that_follows_from_it() -> None:
    (row,) = VECTORS["links"]
    told = [f"| `{value}` |" for name, value in row.items() if name != "shown"]
    told += [f"| {' '.join(row['shown'])} |", f'"{linking._SALT.decode()[:-1]}\\0"']
    assert [value for value in told if value not in PAGE] == []


def test_page_has_every_emoji_with_its_number_and_name() -> None:
    cells = [f"| {number} | {emoji} {name} |" for number, (emoji, name) in enumerate(EMOJI)]
    assert [cell for cell in cells if cell not in PAGE] == []


def test_page_names_every_result_of_a_scan_and_every_error_of_a_phrase() -> None:
    names = [f"`{scan.name}`" for scan in Scan]
    names += [
        f"| `{name}` |"
        for name, kind in vars(errors).items()
        if inspect.isclass(kind)
        and issubclass(kind, errors.PhraseError)
        and kind is not errors.PhraseError
    ]
    assert len(names) == 7
    assert [name for name in names if name not in PAGE] == []
