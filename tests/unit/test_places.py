"""Places as messages."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import syncchat
from syncchat.errors import ValidationError


@pytest.fixture
def room(tmp_path: Path) -> syncchat.Room:
    return syncchat.open(tmp_path / "a.db", name="Ann").create_room("Here")


def test_place_is_a_message_with_its_degrees(room: syncchat.Room) -> None:
    sent = room.send_location(48.2082, 16.3738, accuracy_m=20, text="the cathedral")
    assert (sent.kind, sent.text) == ("location", "the cathedral")
    assert sent.metadata == {"latitude": 48.2082, "longitude": 16.3738, "accuracy": 20.0}
    assert room.send_location(-90, 180).metadata == {"latitude": -90.0, "longitude": 180.0}


@pytest.mark.parametrize(
    ("latitude", "longitude", "accuracy"),
    [
        (91, 0, None),
        (0, -180.1, None),
        (0, 0, -1),
        (math.nan, 0, None),
        (0, math.inf, None),
        ("48", 0, None),
        (True, 0, None),
    ],
)
def test_place_that_is_none_is_refused(
    room: syncchat.Room, latitude: float, longitude: float, accuracy: float | None
) -> None:
    with pytest.raises(ValidationError):
        room.send_location(latitude, longitude, accuracy_m=accuracy)
    assert room.count() == 0
