"""House rules about the page of records: it has every kind, field and limit that the code has."""

from __future__ import annotations

import re

import pytest

from syncchat.trust import changes, person, records, rules
from syncchat.trust.boxes import BOX_BYTES, LINK_BYTES

from .tree import ROOT

PAGE = (ROOT / "docs" / "reference" / "records.md").read_text(encoding="utf-8")
PEOPLE, ROOMS = PAGE.split("\n## A room's log\n")
KINDS = [
    *((PEOPLE, kind, type_) for kind, type_ in ((1, person.Certify), (2, person.Revoke))),
    *((ROOMS, int(kind), type_) for kind, type_ in changes.TYPES.items()),
]


@pytest.mark.parametrize(("part", "kind", "type_"), KINDS, ids=lambda each: str(each)[-30:])
def test_page_has_every_kind_with_its_fields(part: str, kind: int, type_: type) -> None:
    row = re.search(rf"^\| {kind} \| {type_.__name__} \|(.*?)\|", part, re.MULTILINE)
    assert row, f"no row for {kind}, {type_.__name__}"
    assert _fields(row[1]) == [*type_.__struct_fields__]  # type: ignore[attr-defined]


@pytest.mark.parametrize("type_", [changes.Epoch, changes.Pin])
def test_page_has_every_part_with_its_fields(type_: type) -> None:
    row = re.search(rf"^\| {type_.__name__} \|(.*?)\|$", PAGE, re.MULTILINE)
    assert row
    assert _fields(row[1]) == [*type_.__struct_fields__]  # type: ignore[attr-defined]


def test_page_has_the_fields_of_a_records_text_in_order() -> None:
    section = PAGE.split("\n## Form\n")[1].split("    hash ")[0]
    rows = re.findall(r"^\| (\w+) \|", section, re.MULTILINE)
    assert rows == ["field", *records._Text.__struct_fields__]


def test_page_says_which_kinds_are_strong() -> None:
    told = set(re.findall(r"^\| (\d+) \| \w+ \|.*\| yes \|$", ROOMS, re.MULTILINE))
    assert told == {str(int(kind)) for kind in changes._STRONG}


@pytest.mark.parametrize(
    "shown_as",
    [
        f"| record | {records.RECORD_BYTES_MAX:,} bytes |",
        f"| records that one stands on | {records.PREVS_MAX} |",
        f"| records of a person's log | {person.RECORDS_MAX} |",
        f"| devices that a person ever has | {person.DEVICES_MAX} |",
        f"| members of a room | {changes.MEMBERS_MAX:,} |",
        f"| open invites | {changes.INVITES_MAX} |",
        f"| requests that wait | {rules.REQUESTS_MAX} |",
        f"| boxes of one key for one member | {rules.BOXES_MAX} |",
        f"| lost keys that are handed on | {changes.LOST_MAX} |",
        f"A box has {BOX_BYTES} bytes and a link {LINK_BYTES}",
    ],
)
def test_page_has_every_limit(shown_as: str) -> None:
    assert shown_as in PAGE


def _fields(row: str) -> list[str]:
    outside = re.sub(r"\[[^\]]*\]", "", row)
    return [field.split()[0] for field in outside.strip().split(", ") if field]
