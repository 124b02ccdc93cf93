"""How long a search takes in a large room."""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import syncchat
from syncchat.ports import SystemClock
from syncchat.storage.database import CACHE_KIB
from syncchat.storage.view import index
from syncchat.testing.ports import SeededRandom

from . import workload

NAME = "search"
SUMMARY = (
    "searches over a corpus repeated with varied text, ranked and newest first, 20 hits with their "
    "snippets each, beside bare SQLite over the same texts, which gives row numbers only: a FTS5 "
    "table of whole words, and LIKE; hits are held against a look at every text, outside the clock"
)
MESSAGES = 1_000_000
EACH = 20
"""Queries of each kind."""

SHOWN = 20
_EVERY = 10
"""One query in so many is checked against all texts."""


class _Asked(NamedTuple):
    kind: str
    text: str
    terms: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to search in, and how much of it."""
    parser.add_argument(
        "--input", type=Path, metavar="PATH", help="JSON lines, may be .gz; else the bundled chat"
    )
    parser.add_argument("--messages", type=int, default=MESSAGES, metavar="N")


def run(smoke: bool, input: Path | None = None, messages: int = MESSAGES) -> dict[str, Any]:
    """Return the figures."""
    count, each = (3_000, 2) if smoke else (messages, EACH)
    said = workload.varied_texts(count, input)
    with tempfile.TemporaryDirectory() as name:
        path, bare = Path(name) / "room.db", Path(name) / "bare.db"
        _build(path, said)
        bare_bytes = _build_bare(bare, said)
        with syncchat.open(path) as peer:
            size = _index_bytes(peer)
            fresh = peer._db.search_sizes.few
            asked = _queries(said, each, writer=peer.rooms()[0].messages(limit=1)[0].sender)
            figures, ours = _measure(peer, asked, said)
        theirs = _measure_bare(bare, asked)
    ratios = [ours[kind] / theirs[kind] for kind in theirs]
    return {
        "messages": count,
        "of them outside of the index": fresh,
        "queries": len(asked),
        "index bytes per message": round(size / count, 1),
        "database bytes per message": round(figures.pop("bytes") / count, 1),
        "bare FTS5 table: bytes per message": round(bare_bytes / count, 1),
        **figures,
        **{f"bare SQLite, {kind}: ms, median": round(ms, 3) for kind, ms in theirs.items()},
        "time / bare SQLite, median of kinds": round(statistics.median(ratios), 3),
    }


def _queries(said: Sequence[str], each: int, *, writer: str) -> list[_Asked]:
    """Return queries of every kind, about frequent words and rare ones alike."""
    chance = SeededRandom("queries")
    counts = Counter(
        word
        for text in said[:: max(1, len(said) // 20_000)]
        for word in text.lower().split()
        if word.isascii() and word.isalnum() and len(word) > 3
    )
    ranked = [word for word, _ in counts.most_common()]

    def some() -> str:
        """Return a word; that it is frequent or rare is equally likely, by orders of magnitude."""
        return ranked[int(len(ranked) ** chance.uniform(0, 1)) - 1]

    def text() -> str:
        return said[int(chance.uniform(0, len(said)))]

    kinds: dict[str, Callable[[], _Asked]] = {
        "word": lambda: _plain("word", some()),
        "beginning of a word": lambda: _plain("beginning of a word", some()[:3]),
        "two letters": lambda: _plain("two letters", some()[:2]),
        "part of a word": lambda: _plain("part of a word", some()[1:]),
        "two words": lambda: _plain("two words", f"{some()} {some()}"),
        "phrase": lambda: _phrase(" ".join(text().split()[:3])),
        "nothing": lambda: _plain("nothing", some() + "qzx"),
        "word and writer": lambda: _plain("word and writer", some(), f"from:{writer}"),
        "word with a link": lambda: _plain("word with a link", some(), "has:link"),
        "word before a day": lambda: _plain("word before a day", some(), "before:2023-11-20"),
    }
    return [make() for make in kinds.values() for _ in range(each)]


def _plain(kind: str, words: str, more: str = "") -> _Asked:
    return _Asked(kind, f"{words} {more}".strip(), tuple(words.split()))


def _phrase(words: str) -> _Asked:
    words = words.replace('"', "")
    return _Asked("phrase", f'"{words}"', (words,))


def _build(path: Path, said: Sequence[str]) -> None:
    with workload.reader(path) as reader:
        for portion in workload.deliveries(workload.room_log(len(said), batch=100, said=said)):
            reader.receive(portion)
        assert reader.room.count() == len(said)
        index.complete(reader.room._peer._db)


def _build_bare(path: Path, said: Sequence[str]) -> int:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"pragma cache_size = -{CACHE_KIB}")
    db.execute("create virtual table words using fts5 (text, tokenize = unicode61)")
    db.execute("begin")
    db.executemany("insert into words (text) values (?)", [(text,) for text in said])
    db.execute("commit")
    db.close()
    return path.stat().st_size


def _index_bytes(peer: syncchat.Peer) -> int:
    (size,) = peer._db.execute("select sum(length(block)) from search_text_data").fetchone()
    return int(size)


def _measure(
    peer: syncchat.Peer, asked: Sequence[_Asked], said: Sequence[str]
) -> tuple[dict[str, Any], dict[str, float]]:
    clock = SystemClock()
    times: dict[str, list[float]] = {}
    everything: list[float] = []
    for number, query in enumerate(asked):
        for newest in (False, True):
            started = clock.monotonic()
            hits = peer.search(query.text, limit=SHOWN, newest=newest)
            ms = (clock.monotonic() - started) * 1000
            times.setdefault(query.kind, []).append(ms)
            everything.append(ms)
            if newest and number % _EVERY == 0 and ":" not in query.text:
                _check(query, [hit.message.text for hit in hits], said)
    figures: dict[str, Any] = {
        "ms, median": round(statistics.median(everything), 2),
        "ms, p95": round(_p95(everything), 2),
        "ms, slowest": round(max(everything), 2),
    }
    for kind, found in times.items():
        figures[f"{kind}: ms, median"] = round(statistics.median(found), 2)
        figures[f"{kind}: ms, p95"] = round(_p95(found), 2)
    size = sum(file.stat().st_size for file in peer.path.parent.glob(f"{peer.path.name}*"))
    medians = {kind: statistics.median(found) for kind, found in times.items()}
    return figures | {"bytes": size}, medians


def _measure_bare(path: Path, asked: Sequence[_Asked]) -> dict[str, float]:
    """Return the median ms of each kind that bare SQLite can answer at all."""
    clock = SystemClock()
    db = sqlite3.connect(path)
    db.execute(f"pragma cache_size = -{CACHE_KIB}")
    times: dict[str, list[float]] = {}
    for query in asked:
        if ":" in query.text:
            continue
        if query.kind in ("part of a word", "phrase"):
            sql = "select rowid from words where text like ? order by rowid desc limit ?"
            given = f"%{query.terms[0]}%"
        else:
            sql = "select rowid from words where words match ? order by rank limit ?"
            given = " ".join(f'"{term}"*' for term in query.terms)
        started = clock.monotonic()
        db.execute(sql, (given, SHOWN)).fetchall()
        times.setdefault(query.kind, []).append((clock.monotonic() - started) * 1000)
    db.close()
    return {kind: statistics.median(found) for kind, found in times.items()}


def _check(query: _Asked, found: Sequence[str], said: Sequence[str]) -> None:
    """Assert that these are the newest texts that have all the terms; two letters begin words."""
    if any(len(term) < 3 for term in query.terms):
        assert all(term in text.lower() for term in query.terms for text in found), query
        return
    wanted = []
    for text in reversed(said):
        plain = " ".join(text.lower().split())
        if all(term.lower() in plain for term in query.terms):
            wanted.append(text)
            if len(wanted) == SHOWN:
                break
    assert list(found) == wanted, query


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]
