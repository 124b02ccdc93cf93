"""Frames about files: blobs, which are put, asked for and dropped beside a room's log."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .fields import Alias, BlobName, BlobNames, Frame, Seq
from .limits import BLOB_BYTES_MAX, BLOB_NAMES_MAX


class PutBlob(Frame, frozen=True, array_like=True, tag=21):
    """Hands a blob to the relay; BlobStates answers when it is durable, or why it is not.

    ``name`` is the hash of the bytes (``trust.files.blob_name``). The frames about blobs have
    numbers of their own, which grow by one with each on a connection, and the answers name them.
    """

    alias: Alias
    number: Seq
    name: BlobName
    data: Annotated[bytes, Meta(min_length=1, max_length=BLOB_BYTES_MAX)]


class AskBlobs(Frame, frozen=True, array_like=True, tag=22):
    """Asks which of some blobs the relay has; BlobStates answers."""

    alias: Alias
    number: Seq
    names: BlobNames


class DropBlobs(Frame, frozen=True, array_like=True, tag=23):
    """Says that this member needs some blobs no more; one that nobody else put is deleted."""

    alias: Alias
    number: Seq
    names: BlobNames


class BlobStates(Frame, frozen=True, array_like=True, tag=24):
    """Answers PutBlob, AskBlobs and DropBlobs: one ``BlobState`` for each name, a byte each.

    PutBlob is answered twice where the first says TAKEN: when it has come, and when it is durable.
    With number 0 and no states it says that more blobs have come to a room in which this peer
    asked for one in vain.
    """

    alias: Alias
    number: Seq
    states: Annotated[bytes, Meta(max_length=BLOB_NAMES_MAX)]


class GetBlob(Frame, frozen=True, array_like=True, tag=25):
    """Asks for a blob; BlobData answers."""

    alias: Alias
    number: Seq
    name: BlobName


class BlobData(Frame, frozen=True, array_like=True, tag=26):
    """Answers GetBlob; without bytes where there is no such blob for who asks."""

    alias: Alias
    number: Seq
    data: Annotated[bytes, Meta(max_length=BLOB_BYTES_MAX)]
