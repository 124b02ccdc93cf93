"""House rules about documentation: it names what exists, and its links lead somewhere."""

from __future__ import annotations

import inspect
import re
from typing import get_args

import pytest

import syncchat
from syncchat.trust import files as sealed_files
from syncchat.wire import frames, limits
from syncchat.wire.codes import BlobState, ErrorCode, ItemStatus
from syncchat.wire.envelope import HEADER_BYTES_MAX, EnvelopeKind
from tests import vectors

from .tree import API, ROOT, WIRE, anchors, files, links, shown

SPEC = WIRE.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", get_args(frames.AnyFrame), ids=lambda kind: kind.__name__)
def test_wire_spec_has_every_frame_with_its_tag_and_fields(kind: type[frames.Frame]) -> None:
    row = re.search(
        rf"^\| {kind.__struct_config__.tag} \| {kind.__name__} \|.*$", SPEC, re.MULTILINE
    )
    assert row, f"no row for tag {kind.__struct_config__.tag}, {kind.__name__}"
    assert _fields_of(row[0]) == [*kind.__struct_fields__]


@pytest.mark.parametrize(
    "kind",
    [
        frames.Proof,
        frames.RoomCursor,
        frames.RoomState,
        frames.AckItem,
        frames.DeviceCursor,
        frames.ChainHead,
        frames.Gap,
    ],
    ids=lambda kind: kind.__name__,
)
def test_wire_spec_has_every_record_with_its_fields(kind: type[frames.RoomCursor]) -> None:
    row = re.search(rf"^\| {kind.__name__} \|.*$", SPEC, re.MULTILINE)
    assert row, f"no row for {kind.__name__}"
    assert _fields_of(row[0]) == [*kind.__struct_fields__]


@pytest.mark.parametrize("code", [*ItemStatus, *ErrorCode], ids=lambda code: code.name)
def test_wire_spec_has_every_code_with_its_number(code: ItemStatus | ErrorCode) -> None:
    section = SPEC.split("\n## Item states\n")[1].split("\n## Error codes\n")
    text = section[0] if isinstance(code, ItemStatus) else section[1].split("\n## ")[0]
    assert f"| {code.value} | {code.name} |" in text


@pytest.mark.parametrize("state", BlobState, ids=lambda state: state.name)
def test_wire_spec_has_every_blob_state_with_its_number(state: BlobState) -> None:
    section = SPEC.split("\n## Blob states\n")[1].split("\n## ")[0]
    assert f"| {state.value} | {state.name} |" in section


@pytest.mark.parametrize("kind", EnvelopeKind, ids=lambda kind: kind.name)
def test_wire_spec_has_every_envelope_kind(kind: EnvelopeKind) -> None:
    assert f"{kind.value} {kind.name}" in SPEC


@pytest.mark.parametrize(
    "shown_as",
    [
        f"| frame | {limits.FRAME_BYTES_MAX:,} bytes |",
        f"| envelope | {limits.ENVELOPE_BYTES_MAX:,} bytes |",
        f"| header | {HEADER_BYTES_MAX} bytes |",
        f"| update, after decompression | {limits.UPDATE_BYTES_MAX:,} bytes |",
        f"| envelopes in a Push | {limits.ENVELOPES_PER_PUSH_MAX} |",
        f"| pushes without an Ack | {limits.PUSHES_IN_FLIGHT_MAX} |",
        f"| blob | {limits.BLOB_BYTES_MAX:,} bytes |",
        f"| names of blobs in a frame | {limits.BLOB_NAMES_MAX:,} |",
        f"| frames about blobs without their last answer | {limits.BLOBS_IN_FLIGHT_MAX} |",
        f"| chunks of a file | {sealed_files.CHUNKS_MAX:,} |",
        f"{sealed_files.CHUNKS_MAX:,} chunks, {sealed_files.file_bytes_max():,} bytes",
        f"bytes n · {sealed_files.CHUNK_BYTES:,} to (n + 1)",
        f"| rooms in an Open | {limits.ROOMS_PER_OPEN_MAX:,} |",
        f"| rooms of a connection | {limits.ROOMS_PER_CONNECTION_MAX:,} |",
        f"| chain heads or cursors in a frame | {limits.CHAINS_PER_FRAME_MAX:,} |",
        f"| heartbeat | {limits.HEARTBEAT_MS // 1000} s |",
        f"| silence | {limits.SILENCE_MS_MAX // 1000} s |",
        f"| handshake | {limits.HANDSHAKE_MS_MAX // 1000} s |",
        f"| host name | {limits.NAME_BYTES_MAX} characters |",
        f"| token | {limits.TOKEN_CHARS_MAX:,} characters |",
        f"| subject | {limits.SUBJECT_CHARS_MAX} characters |",
        f"# The wire format, version {limits.VERSION}",
    ],
)
def test_wire_spec_has_every_limit(shown_as: str) -> None:
    assert shown_as in SPEC


def test_wire_spec_shows_the_bytes_of_the_vectors() -> None:
    envelopes = vectors.load("envelopes")
    first = envelopes["log"][0]
    told = [vector.raw.hex() for vector in vectors.frames() if "auth" not in vector.name]
    told += [first[part] for part in ("header", "body", "link", "signature", "log_fingerprint")]
    told += [envelopes["devices"][0]["key"], envelopes["devices"][0]["body_key"]]
    told += [vectors.load("invites")[0]["link"]]
    assert [value for value in told if value not in SPEC] == []


def test_every_link_inside_the_documentation_leads_somewhere() -> None:
    broken = []
    for page in files(".md"):
        for target in links(page.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (page.parent / name).resolve() if name else page
            is_there = file.exists() and file.is_relative_to(ROOT)
            if is_there and anchor:
                is_there = anchor in anchors(file.read_text(encoding="utf-8"))
            if not is_there:
                broken.append(f"{shown(page)}: {target}")
    assert broken == []


def test_every_test_that_a_page_names_is_there() -> None:
    named = r"`((?:tests/)[\w/.-]*)`"
    missing = [
        f"{shown(page)}: {path}"
        for page in files(".md")
        for path in re.findall(named, page.read_text(encoding="utf-8"))
        if not (ROOT / path).exists()
    ]
    assert missing == []


def test_every_page_is_reachable_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    reached, to_read = {index}, [index]
    while to_read:
        page = to_read.pop()
        for target in links(page.read_text(encoding="utf-8")):
            file = (page.parent / target.partition("#")[0]).resolve()
            if file.suffix == ".md" and file.is_file() and file not in reached:
                reached.add(file)
                to_read.append(file)
    pages = [page for page in files(".md") if page.is_relative_to(ROOT / "docs")]
    assert [shown(page) for page in pages if page not in reached] == []


def test_decisions_are_numbered_without_a_hole_and_say_what_a_decision_must() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]}: "), shown(page)
        for heading in ("## Context", "## Choice", "## Price", "## When to revisit"):
            assert heading in text, f"{shown(page)} has no {heading!r}"


def test_public_names_have_a_docstring_and_are_in_the_reference() -> None:
    names = list(syncchat.__all__)
    page = API.read_text(encoding="utf-8")
    for name in names:
        value = getattr(syncchat, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert inspect.getdoc(value), f"syncchat.{name} has no docstring"
            assert value.__doc__, f"syncchat.{name} has no docstring of its own"
        assert re.search(rf"`[^`]*\b{re.escape(name)}\b[^`]*`", page), f"{name} is not in api.md"
    assert set(names) <= set(dir(syncchat))


def _fields_of(row: str) -> list[str]:
    fields = row.split("|")[-2].strip()
    return [field.split()[0] for field in fields.split(", ") if field]
