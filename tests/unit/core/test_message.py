"""Messages as values, and their JSON form."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncchat import Message, ReactionView, Status
from syncchat.errors import DecodeError
from syncchat.ids import MemberId, MessageId, RoomId

TEXTS = st.text(max_size=10)
IDS = st.text("0123456789ABCDEF", min_size=26, max_size=26)
MS = st.integers(0, 253_402_300_799_999)
OBJECTS = st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers() | TEXTS, min_size=1)
MESSAGES = st.builds(
    Message,
    id=IDS.map(MessageId),
    room_id=st.binary(min_size=16, max_size=16).map(RoomId),
    sender=TEXTS.map(MemberId),
    sender_name=TEXTS,
    text=TEXTS,
    kind=st.sampled_from(["text", "image", "poll"]),
    sent_at=MS,
    edited_at=st.none() | MS,
    deleted=st.booleans(),
    reply_to=st.none() | IDS.map(MessageId),
    thread=st.none() | IDS.map(MessageId),
    reactions=st.lists(
        st.builds(ReactionView, TEXTS.map(MemberId), TEXTS, TEXTS, MS), max_size=3
    ).map(tuple),
    read_by=st.lists(TEXTS.map(MemberId), max_size=3).map(tuple),
    status=st.sampled_from(Status),
    metadata=st.none() | OBJECTS,
    attachments=st.lists(OBJECTS, max_size=2).map(tuple),
    mentions=st.lists(TEXTS.map(MemberId), max_size=2).map(tuple),
)
SAMPLE = Message(
    id=MessageId("038G3HC9JM000" + "06Y27ZG0P0N2V"),
    room_id=RoomId(bytes(16)),
    sender=MemberId("06Y27ZG0P0N2V"),
    sender_name="Alice",
    text="hello",
    kind="text",
    sent_at=1_700_000_000_123,
    reactions=(ReactionView(MemberId("B"), "Bob", "👍", 1_700_000_001_000),),
    read_by=(MemberId("B"),),
)


@given(MESSAGES)
def test_message_comes_back_from_its_json(message: Message) -> None:
    assert Message.from_json(json.loads(json.dumps(message.to_json()))) == message


def test_json_has_the_field_names_of_the_tutorial() -> None:
    fields = SAMPLE.to_json()
    assert list(fields)[:9] == [
        "id",
        "senderId",
        "content",
        "timestamp",
        "type",
        "replyTo",
        "metadata",
        "readBy",
        "reactions",
    ]
    assert fields["timestamp"] == "2023-11-14T22:13:20.123Z"
    assert fields["reactions"] == [
        {"userId": "B", "emoji": "👍", "timestamp": "2023-11-14T22:13:21.000Z", "name": "Bob"}
    ]


def test_times_keep_every_millisecond_up_to_the_last_year_that_has_a_date() -> None:
    for ms in (1, 1_700_000_000_999, 200_000_000_000_001, 253_402_300_799_999):
        message = replace(SAMPLE, sent_at=ms)
        assert Message.from_json(message.to_json()).sent_at == ms


def test_message_with_the_fields_of_the_tutorial_alone_is_read() -> None:
    needed = {"id", "roomId", "senderId", "content", "type", "timestamp"}
    fields = {name: value for name, value in SAMPLE.to_json().items() if name in needed}
    read = Message.from_json(fields)
    assert (read.text, read.status, read.reactions) == ("hello", Status.SENT, ())


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"content": 7},
        {"timestamp": "yesterday"},
        {"timestamp": "2023-11-14T22:13:20"},
        {"roomId": "short"},
        {"status": "lost"},
        {"reactions": [{"emoji": "👍"}]},
        {"reactions": 5},
    ],
)
def test_json_that_is_no_message_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DecodeError, match="not a message"):
        Message.from_json({**SAMPLE.to_json(), **change})
