"""Tests of attachments: what is a file, whatever a hostile message says, and safe names."""

from __future__ import annotations

import base64
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncchat.core.attachments import (
    ANY_TYPE,
    ATTACHMENTS_MAX,
    NAME_BYTES_SAVED_MAX,
    Attachment,
    files_in,
    read_attachment,
    safe_file_name,
)
from syncchat.errors import DecodeError
from syncchat.trust.files import file_bytes_max

KEY, ROOT = bytes(range(32)), bytes(range(32, 64))
WHOLE = Attachment(
    name="photo.jpg",
    type="image/jpeg",
    size=1_000,
    key=KEY,
    root=ROOT,
    kind="image",
    width=640,
    height=480,
    duration_ms=5,
    waveform=bytes(100),
    thumb=b"\xff\xd8 a small picture",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("A" * 43),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def with_fields(**fields: object) -> dict[str, Any]:
    return WHOLE.to_value() | fields


def test_attachment_comes_back_from_its_value() -> None:
    assert read_attachment(WHOLE.to_value()) == WHOLE
    bare = Attachment("a", ANY_TYPE, 0, KEY, ROOT)
    assert set(bare.to_value()) == {"name", "type", "size", "key", "root", "kind"}
    assert read_attachment(bare.to_value()) == bare


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", None),
        ("name", 5),
        ("name", "x" * 201),
        ("size", -1),
        ("size", -(2**70)),
        ("size", file_bytes_max() + 1),
        ("size", 2**63),
        ("size", 1.5),
        ("size", True),
        ("size", "10"),
        ("size", None),
        ("key", ""),
        ("key", "A" * 42),
        ("key", "A" * 44),
        ("key", "A" * 42 + "*"),
        ("key", "A" * 10**6),
        ("key", None),
        ("key", ["A" * 43]),
        ("root", "é" * 43),
        ("root", "A" * 86),
        ("root", None),
    ],
)
def test_attachment_that_lacks_what_is_needed_is_no_file(field: str, value: object) -> None:
    with pytest.raises(DecodeError, match="the attachment"):
        read_attachment(with_fields(**{field: value}))


@pytest.mark.parametrize(
    ("field", "value", "read"),
    [
        ("type", "not a type", ANY_TYPE),
        ("type", "text/html\r\nx: y", ANY_TYPE),
        ("type", "TEXT/plain", ANY_TYPE),
        ("type", 7, ANY_TYPE),
        ("kind", "folder", "file"),
        ("kind", None, "file"),
        ("kind", {}, "file"),
        ("width", -3, None),
        ("width", 10**9, None),
        ("height", "640", None),
        ("duration_ms", 10**12, None),
        ("waveform", base64.b64encode(bytes(101)).decode(), None),
        ("waveform", "***", None),
        ("thumb", "A" * 200_000, None),
        ("thumb", 3, None),
    ],
)
def test_field_that_only_tells_how_to_show_it_counts_as_missing_if_it_is_bad(
    field: str, value: object, read: object
) -> None:
    assert getattr(read_attachment(with_fields(**{field: value})), field) == read


@given(st.dictionaries(st.sampled_from([*WHOLE.to_value(), "new"]), JSON))
def test_any_json_object_is_a_file_or_refused(fields: dict[str, Any]) -> None:
    try:
        found = read_attachment(WHOLE.to_value() | fields)
    except DecodeError:
        return
    assert 0 <= found.size <= file_bytes_max()
    assert len(found.key) == len(found.root) == 32


def test_files_keep_their_places_among_other_attachments() -> None:
    mixed = ({"lat": 48.2}, WHOLE.to_value(), with_fields(size=-1), WHOLE.to_value())
    assert [place for place, _ in files_in(mixed)] == [1, 3]
    assert len(files_in((WHOLE.to_value(),) * 100)) == ATTACHMENTS_MAX


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system.ini", "system.ini"),
        ("/etc/shadow", "shadow"),
        ("C:evil.txt", "C_evil.txt"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        ("dir/", "file"),
        (".bashrc", "bashrc"),
        ("-rf", "-rf"),
        ("name. ", "name"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("nul .tar.gz", "_nul .tar.gz"),
        ("a\x00b\x1b[31m.txt", "ab[31m.txt"),
        ("line\nbreak.txt", "linebreak.txt"),
        ("cod\u202egpj.exe", "codgpj.exe"),
        ("\u200b\u200d", "file"),
        ("\ud800x", "x"),
        ("what?*|<>.txt", "what_____.txt"),
        ("日本語 ファイル.txt", "日本語 ファイル.txt"),
        ("e\u0301te\u0301.txt", "été.txt"),
    ],
)
def test_name_becomes_harmless(name: str, safe: str) -> None:
    assert safe_file_name(name) == safe


@given(st.text() | st.text("/\\.: \x00\u202e\n~-a", max_size=30))
def test_safe_name_is_a_plain_name_on_every_system(name: str) -> None:
    safe = safe_file_name(name)
    assert 0 < len(safe.encode()) <= NAME_BYTES_SAVED_MAX
    assert not set('/\\:*?"<>|') & set(safe)
    assert safe[0] not in ". " and safe[-1] not in ". "
    assert all(unicodedata.category(char)[0] not in "C" for char in safe)
    assert safe_file_name(safe) == safe


def test_long_name_keeps_its_ending() -> None:
    safe = safe_file_name("ä" * 300 + ".tar.gz")
    assert safe.endswith("ä.gz") and len(safe.encode()) <= NAME_BYTES_SAVED_MAX
