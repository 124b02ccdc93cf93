"""What frames are made of: their base, and the types of their fields with the bounds of each."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from .limits import BLOB_NAMES_MAX, ROOMS_PER_OPEN_MAX, TOKEN_CHARS_MAX

Seq = Annotated[int, Meta(ge=0, lt=2**53)]
Alias = Annotated[int, Meta(ge=0, lt=2**53)]
Place = Annotated[int, Meta(ge=0, lt=ROOMS_PER_OPEN_MAX)]
Millis = Annotated[int, Meta(ge=0, lt=2**53)]
RoomBytes = Annotated[bytes, Meta(min_length=16, max_length=16)]
DeviceBytes = Annotated[bytes, Meta(min_length=8, max_length=8)]
Link = Annotated[bytes, Meta(min_length=32, max_length=32)]
Fingerprint = Annotated[bytes, Meta(min_length=8, max_length=8)]
BlobName = Annotated[bytes, Meta(min_length=32, max_length=32)]
BlobNames = Annotated[list[BlobName], Meta(min_length=1, max_length=BLOB_NAMES_MAX)]
Incarnation = Annotated[bytes, Meta(min_length=8, max_length=8)]
Nonce = Annotated[bytes, Meta(min_length=32, max_length=32)]
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
Text = Annotated[str, Meta(max_length=1_000)]
Token = Annotated[str, Meta(max_length=TOKEN_CHARS_MAX)]
OperatorProof = Annotated[bytes, Meta(max_length=32)]


class Frame(Struct, frozen=True, array_like=True):
    """Is the base of every frame."""
