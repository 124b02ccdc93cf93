"""Lines from a pipe."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from syncchat.apps.cli.chat import lines
from syncchat.apps.cli.chat.lines import PipeLines


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        with suppress(OSError):  # the test has closed it
            os.close(descriptor)


async def _all(source: PipeLines) -> list[str]:
    found = []
    async with asyncio.timeout(10):
        while (line := await source.next()) is not None:
            found.append(line)
    return found


async def test_lines_come_whole_whatever_the_pipe_cuts_them_into(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = pipe
    monkeypatch.setattr(lines, "_READ_BYTES", 1)
    source = PipeLines(reading)
    os.write(writing, "grün\r\n\nsecond\nlast ".encode() + b"\xff")
    os.close(writing)
    assert await _all(source) == ["grün", "", "second", "last \ufffd"]


async def test_an_endless_line_is_cut(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = pipe
    monkeypatch.setattr(lines, "LINE_BYTES_MAX", 10)
    os.write(writing, b"x" * 25)
    os.close(writing)
    assert "".join(await _all(PipeLines(reading))) == "x" * 25


async def test_lines_come_while_the_pipe_stays_open(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    source = PipeLines(reading)
    async with asyncio.timeout(10):
        os.write(writing, b"one\n")
        assert await source.next() == "one"
        os.write(writing, b"two\nthr")
        assert await source.next() == "two"
        os.write(writing, b"ee\n")
        assert await source.next() == "three"
        os.close(writing)
        assert await source.next() is None
