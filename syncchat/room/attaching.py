"""Attaching: a file's bytes are copied in, sealed, and go out after the message that shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from ..core.attachments import ATTACHMENTS_MAX, NAME_CHARS_MAX, Attachment, is_type
from ..core.message import Message
from ..core.values import KINDS, MessageValue, encode_value
from ..errors import FilesFull, StorageError, ValidationError
from ..media import HEAD_BYTES, Prepared, check_voice, may_tell, prepare
from ..storage import files
from ..storage.caching import held_bytes, limits, trim
from ..storage.packs import PackWriter
from ..trust.files import FILE_KEY_BYTES, FileSeal, blob_name, chunk_bytes, file_bytes_max
from .base import checked_text
from .sources import Reading, Source, name_of, open_source, path_of, spool
from .writing import RoomWriting

FULL = (
    "files that wait to be sent would take more than this peer keeps: {left:,} bytes are left; "
    "raise the limit (peer.files.set_limits, or 'syncchat file-limits'), or wait until others are "
    "sent"
)
"""Says why no more is taken in."""

Progress = Callable[[int, int], None]
"""Is told how many bytes were copied, and of how many (0 where nobody knows)."""


@dataclass(frozen=True, slots=True)
class _Told:
    """Is what whoever sends a file says of it; None for what it says itself."""

    name: str | None = None
    kind: str | None = None
    type: str | None = None
    is_voice: bool = False


@dataclass(frozen=True, slots=True)
class _Copied:
    """Is a file whose sealed bytes are here under no name yet."""

    attachment: Attachment
    names: list[bytes]
    writer: PackWriter


class RoomAttaching(RoomWriting):
    """Is what a room's handle can do to send files; part of ``Room``."""

    __slots__ = ()

    def attach(
        self,
        source: Source | Sequence[Source],
        *,
        name: str | None = None,
        kind: str | None = None,
        type: str | None = None,
        text: str = "",
        reply_to: str | None = None,
        thread: str | None = None,
        mentions: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        once: str | None = None,
        progress: Progress | None = None,
    ) -> Message:
        """Write a message with a file, or several; works offline.

        The bytes are copied, so what becomes of ``source`` afterwards does not matter. The message
        goes first and the bytes follow it. ``name`` is what others see, the path's own unless
        given, and ``kind`` how it is shown (one of ``KINDS``). Pictures, sound and film are
        cleaned of what they tell besides what they show, unless ``kind`` is "file". These are for
        a single file. ``once`` is as in ``send``.
        ``progress`` is told as the bytes are copied; what it raises stops that. Raises
        ``ValidationError`` for what cannot be sent, ``NotFoundError`` where there is no such file,
        ``FilesFull`` beyond this peer's own limit, and what ``send`` raises.
        """
        several = isinstance(source, Sequence) and not isinstance(source, str | bytes)
        sources: list[Any] = list(source) if several else [source]  # type: ignore[arg-type]
        if not 0 < len(sources) <= ATTACHMENTS_MAX:
            raise ValidationError(f"a message takes 1 to {ATTACHMENTS_MAX} files")
        if len(sources) > 1 and (name or kind or type):
            raise ValidationError("name, kind and type are those of one file: attach it alone")
        draft = self._new_value(
            text,
            reply_to=reply_to,
            thread=thread,
            kind="file",
            metadata=metadata,
            mentions=mentions,
            once=once,
        )
        told = _Told(name, kind, type)
        return self._send_files(sources, draft, told, once=once, progress=progress)

    def send_voice(
        self,
        source: Source,
        *,
        name: str | None = None,
        text: str = "",
        reply_to: str | None = None,
        thread: str | None = None,
        mentions: Sequence[str] = (),
        once: str | None = None,
        progress: Progress | None = None,
    ) -> Message:
        """Write a voice message: sound of up to five minutes, with a drawing of it.

        ``metadata`` of the message then holds ``voice``. Else it is as ``attach``, which takes
        what is longer. Raises ``ValidationError`` for what is no sound or too long, and what
        ``attach`` raises.
        """
        draft = self._new_value(
            text,
            reply_to=reply_to,
            thread=thread,
            kind="audio",
            metadata={"voice": True},
            mentions=mentions,
            once=once,
        )
        told = _Told(name, is_voice=True)
        return self._send_files([source], draft, told, once=once, progress=progress)

    def _send_files(
        self,
        sources: Sequence[Source],
        draft: MessageValue,
        told: _Told,
        *,
        once: str | None,
        progress: Progress | None,
    ) -> Message:
        """Copy files in, and write the message that shows them; all of it or nothing."""
        self._check_may_write()
        with ExitStack() as stack:
            copied = [self._copy(each, told, progress, stack) for each in sources]
            kinds = {each.attachment.kind for each in copied}
            value = msgspec.structs.replace(
                draft,
                kind=kinds.pop() if len(kinds) == 1 else "file",
                attachments=tuple(each.attachment.to_value() for each in copied),
            )
            encode_value(value)  # raises what it raises before anything is stored
            with self._writing() as write:
                if once is not None and (before := self._sent_before(once)) is not None:
                    return before
                room_id = self._load().room_id
                for each in copied:
                    self._store(each, room_id)
                sent = self._write_message(write, value, once=once)
            self._trim()
        self._stop_typing(sent.thread)
        return sent

    def _store(self, copied: _Copied, room_id: bytes) -> None:
        """Give the copied bytes their name; inside the transaction that stores the message."""
        pack = files.pack_name(room_id, copied.attachment)
        copied.writer.finish(pack)
        files.add_file(
            self._peer._db,
            self._row,
            pack,
            copied.attachment,
            names=copied.names,
            mine=True,
            now_ms=self._peer.now_ms(),
        )

    def _trim(self) -> None:
        """Keep to what this peer keeps of files; later, where nothing can be removed now."""
        with suppress(StorageError):
            trim(self._peer._db)

    def _copy(
        self, source: Source, told: _Told, progress: Progress | None, stack: ExitStack
    ) -> _Copied:
        path, kind = path_of(source), told.kind
        shown = _checked_name(told.name or name_of(source))
        if kind is not None and kind not in KINDS:
            raise ValidationError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
        reading = open_source(source, stack)
        if path is None and kind != "file" and may_tell(reading.peek(HEAD_BYTES), shown):
            path = spool(reading, stack)
            reading = open_source(path, stack)
        prepared = prepare(path, name=shown, kind=kind)
        if prepared.cleaned_path is not None:
            stack.callback(prepared.cleaned_path.unlink, missing_ok=True)
            reading = open_source(prepared.cleaned_path, stack)
        if told.is_voice:
            check_voice(prepared, shown)
        writer = self._peer._db.packs.begin(random=self._peer._random)
        stack.callback(writer.discard)
        key = self._peer._random.bytes(FILE_KEY_BYTES)
        seal = FileSeal(key)
        names, size = self._copy_chunks(reading, seal, writer, progress)
        writer.sync()
        root = blob_name(seal.manifest(names, size=size))
        return _Copied(_described(prepared, told, shown, size, key, root), names, writer)

    def _copy_chunks(
        self,
        reading: Reading,
        seal: FileSeal,
        writer: PackWriter,
        progress: Progress | None,
    ) -> tuple[list[bytes], int]:
        """Seal and write what can be read; return the chunks' names and the size."""
        names: list[bytes] = []
        size = 0
        room_left = self._room_left()
        while chunk := reading.read(chunk_bytes()):
            size += len(chunk)
            if size > file_bytes_max():
                raise ValidationError(
                    f"the file is larger than {file_bytes_max():,} bytes; split it"
                )
            if size > room_left:
                raise FilesFull(FULL.format(left=room_left))
            blob = seal.chunk(len(names), chunk)
            names.append(blob_name(blob))
            writer.append(blob)
            if progress is not None:
                progress(size, reading.size)
        return names, size

    def _room_left(self) -> int:
        """Return how many bytes more may wait to be sent."""
        db = self._peer._db
        return max(0, limits(db).cache_bytes_max - held_bytes(db))


def _described(
    prepared: Prepared, told: _Told, name: str, size: int, key: bytes, root: bytes
) -> Attachment:
    if told.type is not None and not is_type(told.type):
        raise ValidationError(f"{told.type!r} is not a MIME type; one looks like application/pdf")
    return Attachment(
        name=name,
        type=told.type or prepared.type,
        size=size,
        key=key,
        root=root,
        kind=told.kind or prepared.kind,
        width=prepared.width,
        height=prepared.height,
        duration_ms=prepared.duration_ms,
        waveform=prepared.waveform,
        thumb=prepared.thumb,
    )


def _checked_name(name: str) -> str:
    checked = checked_text(name, "a file's name").strip()
    if not 0 < len(checked) <= NAME_CHARS_MAX:
        raise ValidationError(f"a file's name has 1 to {NAME_CHARS_MAX} characters")
    return checked
