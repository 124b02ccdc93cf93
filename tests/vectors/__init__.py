"""Golden bytes of everything that crosses a wire or is hashed, for both ends' tests.

The JSON files hold, in hex, what any implementation must produce and accept; ``load`` gives their
contents and ``frames`` those of ``frames.json`` as frames. They are changed on purpose only::

    python -m tests.vectors            # say which files differ from what the code makes
    python -m tests.vectors --write    # make them anew; needs a new protocol version and a reason
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec

from syncchat.wire.frames import AnyFrame, Frame

FOLDER = Path(__file__).parent
FRAME_TYPES: dict[str, type[Frame]] = {kind.__name__: kind for kind in get_args(AnyFrame)}


@dataclass(frozen=True, slots=True)
class FrameVector:
    """Is one frame with its bytes."""

    name: str
    frame: Frame
    raw: bytes


def load(name: str) -> Any:
    """Return the contents of ``name``.json; bytes are hex in it."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def frames() -> Iterator[FrameVector]:
    """Yield every frame vector; the frame is built from the fields in the file."""
    for row in load("frames"):
        kind = msgspec.inspect.type_info(FRAME_TYPES[row["frame"]])
        frame = _value(kind, row["fields"])
        assert isinstance(frame, Frame)
        yield FrameVector(row["name"], frame, bytes.fromhex(row["hex"]))


def plain(value: object) -> Any:
    """Return a frame or another value as JSON: fields by name, bytes as hex."""
    match value:
        case msgspec.Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case bytes():
            return value.hex()
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def _value(kind: msgspec.inspect.Type, value: Any) -> Any:
    match kind:
        case msgspec.inspect.StructType():
            return kind.cls(*(_value(field.type, value[field.name]) for field in kind.fields))
        case msgspec.inspect.UnionType():  # of something and nil
            return None if value is None else _value(kind.types[0], value)
        case msgspec.inspect.ListType():
            return [_value(kind.item_type, item) for item in value]
        case msgspec.inspect.BytesType():
            return bytes.fromhex(value)
        case _:
            return value
