"""The index: which messages may hold a word, kept beside the messages in their transactions.

Messages that have come lately are **fresh**: they are not in the index, and searches look at each
of them. Most changes and deletions come soon, so they never get into it; a message that is sent
costs no more; and many messages get in together, which takes a fraction of the time. What is not
fresh any more gets in with the transactions that bring more: a step at a time, so that nobody
waits; where many come at once, first when there are too many to look at (``SearchSizes`` has the
numbers). A database from before there was an index begins with all its messages fresh.

The index says only where to look, see ``syncchat.core.folding``: it holds pieces of three
characters, without their places, of the folded text and of *facets* such as who wrote it.

What is taken out is not found any more, but SQLite leaves it in the file until it merges the parts
of the index. So that nobody can put a deleted text together from its pieces, this transaction and
those that follow merge a few pages each until all is gone, also from the write-ahead log.

Each such round puts the index one level higher, and up to SQLite 3.40 at least it cannot be read
any more at the 2,001st: every write to it fails then. So it is begun anew long before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from ...core import folding
from ...core.fold import NOTHING, Shown
from ...core.query import has_of, options_of, words_of
from ...core.values import Root, decode_value
from ...errors import DatabaseDamaged
from ...ids import DeviceId, MessageId, author_device
from ..database import Database

CHUNK = 4_096
"""Messages that are taken in at once where nothing else is done."""

ERASED_PAGES = 64
"""What a transaction merges of the index, to erase what was taken out; about 5 ms."""

LEVELS_MAX = 1_000
"""At so many levels the index is begun anew, with all messages fresh: for each thousandth message
that is changed or deleted late, at 10 µs a message."""

_NOTHING, _BEGIN, _GO_ON, _ONCE_MORE = range(4)
"""What is to be merged; once more where something was taken out meanwhile."""

VOCABULARY = (
    "create virtual table if not exists temp.search_vocabulary "
    "using fts5vocab(main, search_text, instance)"
)
"""Makes the table that tells what the index holds, for checks."""

_COLUMNS = "id, message, value, edited"
_IS_THERE = "deleted = 0 and gone = 0 and hidden = 0"
_INSERT = "insert into search_text (rowid, text, facets) values (?, ?, ?)"
_DELETE = "insert into search_text (search_text, rowid, text, facets) values ('delete', ?, ?, ?)"


class Index:
    """Is the index inside one transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._upto: int | None = None
        self._took_out = False

    def change(self, row: int, before: Shown, after: Shown | None) -> None:
        """Follow a message that was stored and is shown otherwise now; None where it is gone."""
        if row > self.upto:
            return
        old, new = entry_of(before), None if after is None else entry_of(after)
        if old == new:
            return
        if old is not None:
            self._db.execute(_DELETE, (row, *old))
            self._took_out = True
        if new is not None:
            self._db.execute(_INSERT, (row, *new))

    def settle(self, count: int) -> None:
        """Take in what is not fresh any more, and erase, after ``count`` messages were added."""
        upto, erasing, last = self._db.execute(
            "select upto, erasing, (select coalesce(max(id), 0) from message) from search_state"
        ).fetchone()
        self._upto = int(upto)
        sizes, fresh = self._db.search_sizes, last - self._upto
        if count > sizes.step:
            if fresh > sizes.many:
                self.take(max(count, sizes.many // 2))
        elif fresh >= sizes.few + sizes.step:
            self.take(sizes.step)
        self._erase(erasing)

    def take(self, count: int) -> None:
        """Take in the next messages."""
        upto = min(self.upto + count, self._last())
        rows = self._db.execute(
            f"select {_COLUMNS} from message where id > ? and id <= ? and {_IS_THERE}",
            (self.upto, upto),
        )
        self._db.executemany(_INSERT, _entries(rows))
        self._set_upto(upto)

    def forget(self, room: int) -> None:
        """Take a room's messages out, before their rows are removed; then call ``trim``."""
        rows = self._db.execute(
            f"select {_COLUMNS} from message where room = ? and id <= ? and {_IS_THERE}",
            (room, self.upto),
        )
        self._db.executemany(_DELETE, _entries(rows))
        self._took_out = True

    def trim(self) -> None:
        """Take note that rows are gone: SQLite gives the number of the last one again."""
        if self.upto > (last := self._last()):
            self._set_upto(last)

    def clear(self) -> None:
        """Take everything out; all messages are fresh then."""
        self._db.execute("insert into search_text (search_text) values ('delete-all')")
        self._set_erasing(_NOTHING)
        self._set_upto(0)

    @property
    def upto(self) -> int:
        """Return the row of the last message that is not fresh."""
        if self._upto is None:
            self._upto = indexed_upto(self._db)
        return self._upto

    def _erase(self, erasing: int) -> None:
        """Merge some pages, so that nothing stays in the file of what was taken out."""
        if self._took_out:
            self._took_out = False
            erasing = _BEGIN if erasing in (_NOTHING, _BEGIN) else _ONCE_MORE
        if erasing == _NOTHING:
            return
        pages = ERASED_PAGES
        if erasing == _BEGIN:
            pages = -pages  # all parts into one
            self._db.execute("savepoint search")  # has SQLite write what it has in memory
            self._db.execute("release search")
            if _levels(self._db) >= LEVELS_MAX:
                self.clear()
                self._db.wipe()
                return
        before = self._changes()
        self._db.execute(
            "insert into search_text (search_text, rank) values ('merge', ?)", (pages,)
        )
        if self._changes() - before < 2:  # nothing is left to merge
            erasing = _BEGIN if erasing == _ONCE_MORE else _NOTHING
            self._db.wipe()
        elif erasing == _BEGIN:
            erasing = _GO_ON
        self._set_erasing(erasing)

    def _set_erasing(self, erasing: int) -> None:
        self._db.execute("update search_state set erasing = ?", (erasing,))

    def _changes(self) -> int:
        (changes,) = self._db.execute("select total_changes()").fetchone()
        return int(changes)

    def _set_upto(self, row: int) -> None:
        self._upto = row
        self._db.execute("update search_state set upto = ?", (row,))

    def _last(self) -> int:
        (last,) = self._db.execute("select coalesce(max(id), 0) from message").fetchone()
        return int(last)


def indexed_upto(db: Database) -> int:
    """Return the row of the last message that is not fresh."""
    (upto,) = db.execute("select upto from search_state").fetchone()
    return int(upto)


def _levels(db: Database) -> int:
    """Return how many levels the index has, by its structure record: a cookie, sometimes a mark of
    its version, and the number as a varint (``fts5_index.c`` of SQLite, "Structure record")."""
    block: bytes
    (block,) = db.execute("select block from search_text_data where id = 10").fetchone()
    at = 8 if block[4:8] == b"\xff\x00\x00\x01" else 4
    high, low = bytes(block[at : at + 2])
    return high if high < 0x80 else (high & 0x7F) << 7 | low & 0x7F


def begin_anew(db: Database) -> None:
    """Take everything out, also where SQLite cannot read the index: its tables are emptied then."""
    try:
        with db.atomic():
            Index(db).clear()
    except DatabaseDamaged:
        with db.atomic():
            db.execute("delete from search_text_data")
            db.execute("delete from search_text_idx")
            db.execute(
                "insert into search_text_data (id, block) values (1, ?), (10, ?)",
                (b"", bytes(7)),  # totals, and a structure of no levels
            )
        with db.atomic():
            Index(db).clear()


def complete(db: Database) -> None:
    """Take in all that need not be fresh, in transactions of a bounded size."""
    is_done = False
    while not is_done:
        with db.atomic(durable=False):
            index = Index(db)
            left = index._last() - index.upto - db.search_sizes.few
            index.take(min(CHUNK, max(0, left)))
            is_done = left <= CHUNK


def is_exact(db: Database) -> bool:
    """Tell whether the index holds just what the messages' rows say, counted anew; for checks."""
    kept: dict[str, int] = {}
    db.execute(VOCABULARY)
    for piece, number, rows in db.execute(
        "select term, count(*), sum(doc) from temp.search_vocabulary group by term"
    ):
        kept[piece] = (number << 64) + rows
    for row, *entry in _entries(
        db.execute(
            f"select {_COLUMNS} from message where id <= ? and {_IS_THERE}", (indexed_upto(db),)
        )
    ):
        found = {text[at : at + 3] for text in entry for at in range(len(text) - 2)}
        for piece in found:
            left = kept.get(piece, 0) - (1 << 64) - row
            if left:
                kept[piece] = left
            else:
                del kept[piece]
    return not kept


def entry_of(shown: Shown) -> tuple[str, str] | None:
    """Return what the index holds of a message: its folded text, and its facets."""
    if not shown.is_there:
        return None
    value = shown.value
    words = words_of(shown.text, value.attachments, options_of(value))
    text = folding.indexed(folding.fold(words))
    facets = _writer(author_device(shown.id))
    if value is not NOTHING:
        facets += "".join(folding.facet("has", kind) for kind in sorted(has_of(value)))
    return text, facets


def _writer(device: DeviceId) -> str:
    return folding.facet("from", device)


def _entries(rows: sqlite3.Cursor) -> Iterator[tuple[int, str, str]]:
    """Yield what the index holds of stored messages."""
    for row, message, raw, edited in rows:
        value = NOTHING if raw is None else decode_value(Root.MESSAGES, raw)
        text = value.text if edited is None else edited
        entry = entry_of(Shown(MessageId(message), value=value, text=text))
        if entry is not None:
            yield row, *entry
