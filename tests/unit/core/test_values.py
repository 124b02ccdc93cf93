"""Journal entries: their one JSON form, and what is refused in them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncchat.core.values import (
    VALUE_BYTES_MAX,
    MessageValue,
    ReactionValue,
    Root,
    checked_stamp,
    decode_value,
    encode_value,
)
from syncchat.errors import DecodeError, ValidationError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_message_value_comes_back_from_its_text(text: str, metadata: dict[str, object]) -> None:
    value = MessageValue(text=text, metadata=metadata or None)
    assert decode_value(Root.MESSAGES, encode_value(value)) == value


@given(st.sampled_from(Root), st.text(max_size=40))
def test_decode_raises_only_its_own_error(root: Root, text: str) -> None:
    try:
        value = decode_value(root, text)
        checked_stamp(root, text, value)
    except DecodeError:
        pass


@given(st.sampled_from(Root), JSON.map(repr).map(lambda text: text.replace("'", '"')), st.text())
def test_decode_of_json_raises_only_its_own_error(root: Root, text: str, key: str) -> None:
    with contextlib.suppress(DecodeError):
        checked_stamp(root, key, decode_value(root, text))


def test_large_numbers_keep_every_digit() -> None:
    value = MessageValue(metadata={"number": 2**60 + 1})
    assert decode_value(Root.MESSAGES, encode_value(value)) == value


def test_value_over_the_limit_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(ValidationError, match="send a file instead"):
        encode_value(MessageValue(text="x" * VALUE_BYTES_MAX))


@pytest.mark.parametrize("bad", [{"x": object()}, {"x": "\ud800"}, {"x": {1, 2}.__iter__}])
def test_what_has_no_json_form_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="JSON"):
        encode_value(MessageValue(metadata=bad))


def test_reaction_needs_a_message_and_an_emoji_in_its_key() -> None:
    at, message = "0" * 13, "0" * 26
    value = ReactionValue(at, True)
    assert checked_stamp(Root.REACTIONS, message + "👍", value) == at
    for key in (message, "👍", message + "x" * 33, "I" * 26 + "👍"):
        with pytest.raises(DecodeError):
            checked_stamp(Root.REACTIONS, key, value)
