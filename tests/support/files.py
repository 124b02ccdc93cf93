"""Small chunks, so that small files have many of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from syncchat.trust import files

CHUNK = 100


@contextmanager
def small_chunks(size: int = CHUNK) -> Iterator[None]:
    """Cut files into chunks of so many bytes until the block ends."""
    with mock.patch.object(files, "CHUNK_BYTES", size):
        yield


def content(size: int, seed: int = 0) -> bytes:
    """Return so many bytes that look random and are the same every time."""
    return hashlib.shake_256(bytes([seed])).digest(size)
