"""Tests of QR codes: what is drawn is the code, with its quiet zone, in every form."""

from __future__ import annotations

import re
import stat
import struct
import sys
import zlib
from pathlib import Path

import pytest
import segno

from syncchat.apps import qr
from syncchat.errors import ValidationError

LINK = "syncchat:0K2C-some-room#a-secret-of-the-invite"
TEXTS = [
    "x",
    "12345678",
    LINK,
    "SYNCCHAT-SAFETY:1:" + "0" * 105,
    "Grüße, 你好 👋",
    "ああ",
    "q" * 2_953,
]
INK = {" ": (False, False), "▀": (True, False), "▄": (False, True), "█": (True, True)}
IS_DARK = {"16": True, "231": False}

Rows = list[list[bool]]


def _unfolded(lines: list[list[tuple[bool, bool]]]) -> Rows:
    rows = []
    for line in lines:
        rows.append([upper for upper, _ in line])
        rows.append([lower for _, lower in line])
    assert not any(rows.pop()), "the last half of the last line is light"
    return rows


def _from_ink(lines: list[str]) -> Rows:
    return _unfolded([[INK[char] for char in line] for line in lines])


def _from_colours(lines: list[str]) -> Rows:
    """Return what a terminal shows: the colours in force at each half block."""
    found = []
    for line in lines:
        assert line.endswith("\x1b[0m")
        row: list[tuple[bool, bool]] = []
        colours = None
        for part in re.findall(r"\x1b\[[\d;]*m|.", line):
            if part == "▀":
                assert colours, "no half block comes before its colours"
                row.append(colours)
            elif part != "\x1b[0m":
                match = re.fullmatch(r"\x1b\[38;5;(\d+);48;5;(\d+)m", part)
                assert match, part
                colours = (IS_DARK[match[1]], IS_DARK[match[2]])
        found.append(row)
    return _unfolded(found)


def _from_png(raw: bytes) -> Rows:
    """Return the modules of a PNG of one bit a pixel, with the filters that segno uses."""
    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    at, squeezed, width, height = 8, b"", 0, 0
    while at < len(raw):
        size, kind = struct.unpack_from(">I4s", raw, at)
        body = raw[at + 8 : at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack_from(">IIBB", body)
            assert (depth, colour) == (1, 0), "grey of one bit: 0 is black"
        elif kind == b"IDAT":
            squeezed += body
        at += size + 12
    stride = (width + 7) // 8 + 1
    lines = zlib.decompress(squeezed)
    pixels, above = [], bytes(stride - 1)
    for y in range(height):
        how, line = lines[y * stride], lines[y * stride + 1 : (y + 1) * stride]
        assert how in (0, 2), "no filter, or the difference to the line above"
        if how == 2:
            line = bytes(one + other & 0xFF for one, other in zip(line, above, strict=True))
        pixels.append([not line[x // 8] >> 7 - x % 8 & 1 for x in range(width)])
        above = line
    scale = 8
    assert all(pixels[y] == pixels[y - y % scale] for y in range(height))
    return [row[::scale] for row in pixels[::scale]]


def _without_quiet_zone(rows: Rows) -> Rows:
    quiet = 4
    size = len(rows)
    assert {len(row) for row in rows} == {size}
    for at, row in enumerate(rows):
        edge = row[:quiet] + row[-quiet:]
        assert not any(edge if quiet <= at < size - quiet else row)
    return [row[quiet:-quiet] for row in rows[quiet:-quiet]]


def _expected(text: str) -> Rows:
    mode = None if text.isascii() else "byte"
    code = segno.make_qr(text, error="L", mode=mode, encoding="utf-8")
    return [[bool(cell) for cell in row] for row in code.matrix]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_terminal_and_plain_text_and_file_show_the_same_code(text: str, tmp_path: Path) -> None:
    path = tmp_path / "code.png"
    qr.save_qr(text, path)
    expected = _expected(text)
    for rows in (
        _from_colours(qr.qr_lines(text, has_colours=True)),
        _from_ink(qr.qr_lines(text, has_colours=False)),
        _from_png(path.read_bytes()),
    ):
        assert _without_quiet_zone(rows) == expected


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_code_has_its_three_finders_and_timing_lines(text: str) -> None:
    rows = _without_quiet_zone(_from_ink(qr.qr_lines(text, has_colours=False)))
    size = len(rows)
    assert (size - 17) % 4 == 0
    finder = [
        [max(abs(x - 3), abs(y - 3)) != 2 for x in range(7)] for y in range(7)
    ]  # a dark ring, a light ring, a dark middle
    for top, left in ((0, 0), (0, size - 7), (size - 7, 0)):
        assert [row[left : left + 7] for row in rows[top : top + 7]] == finder
    between = range(8, size - 8)
    assert [rows[6][at] for at in between] == [at % 2 == 0 for at in between]
    assert [rows[at][6] for at in between] == [at % 2 == 0 for at in between]


def test_every_line_is_as_wide_as_is_said() -> None:
    for text in TEXTS:
        lines = qr.qr_lines(text, has_colours=False)
        assert {len(line) for line in lines} == {qr.qr_columns(text)}
        assert len(lines) == (qr.qr_columns(text) + 1) // 2


def test_short_text_is_no_micro_code_which_many_cameras_cannot_read() -> None:
    assert qr.qr_columns("1") == 21 + 8


def test_kana_are_bytes_although_their_utf_8_looks_like_double_bytes_of_shift_jis() -> None:
    assert segno.make_qr("ああ", encoding="utf-8").mode == "kanji"  # would be read as other signs
    in_bytes = segno.make_qr("ああ", error="L", mode="byte", encoding="utf-8").matrix
    rows = _without_quiet_zone(_from_ink(qr.qr_lines("ああ", has_colours=False)))
    assert rows == [[bool(cell) for cell in row] for row in in_bytes]


def test_plain_lines_hold_no_escapes() -> None:
    assert set("".join(qr.qr_lines(LINK, has_colours=False))) <= set(INK)


@pytest.mark.parametrize("text", ["q" * 2_954, "é" * 1_477])
def test_text_that_does_not_fit_is_refused_with_its_size(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"2,954 bytes do not fit .* holds 2,953"):
        qr.qr_lines(text, has_colours=True)
    path = tmp_path / "code.png"
    with pytest.raises(ValidationError, match="do not fit"):
        qr.save_qr(text, path)
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "half \ud83d"])
def test_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        qr.qr_lines(text, has_colours=False)


def test_file_that_is_there_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "holiday.png"
    path.write_bytes(b"a picture")
    with pytest.raises(ValidationError, match="is there already"):
        qr.save_qr(LINK, path)
    assert path.read_bytes() == b"a picture"


def test_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="cannot be written"):
        qr.save_qr(LINK, tmp_path / "nowhere" / "code.png")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
def test_file_is_for_its_owners_eyes_only(tmp_path: Path) -> None:
    path = tmp_path / "code.png"
    qr.save_qr(LINK, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
