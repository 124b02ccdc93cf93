"""Operator links: what they say, and that damage is noticed."""

from __future__ import annotations

import pytest

from syncchat.errors import InviteError
from syncchat.wire.operator_link import SCHEME, decode_operator_link, encode_operator_link
from tests import vectors

SECRET = bytes(range(32))
LINK = encode_operator_link("wss://relay.example", SECRET)


def test_links_are_the_golden_text() -> None:
    for row in vectors.load("operator_links"):
        secret = bytes.fromhex(row["secret"])
        assert encode_operator_link(row["relay"], secret) == row["link"]
        assert decode_operator_link(f" {row['link']}\n") == (row["relay"], secret)


def test_secret_stands_behind_the_mark_that_is_never_sent() -> None:
    front, _, fragment = LINK.partition("#")
    assert fragment
    assert decode_operator_link(LINK)[1] == SECRET
    with pytest.raises(InviteError):
        decode_operator_link(front)


@pytest.mark.parametrize("place", range(len(SCHEME), len(LINK)))
def test_every_changed_character_is_noticed(place: int) -> None:
    other = "A" if LINK[place] != "A" else "B"
    changed = LINK[:place] + other + LINK[place + 1 :]
    try:
        assert decode_operator_link(changed) == decode_operator_link(LINK)  # spare bits at the end
    except InviteError:
        return


@pytest.mark.parametrize(
    "link",
    [
        "",
        "#",
        SCHEME,
        f"{SCHEME}#",
        "syncchat:abc#def",
        f"{SCHEME}\u00e9#AAAA",
        LINK[:-4],
        LINK * 9,
    ],
)
def test_what_is_no_link_is_refused(link: str) -> None:
    with pytest.raises(InviteError):
        decode_operator_link(link)
