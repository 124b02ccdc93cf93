"""Snapshots for a few envelopes, so that short runs meet them, and snapshots that lie."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from syncchat.exchange import sending
from syncchat.ids import Stamp
from syncchat.storage import snapshots
from syncchat.wire.coverage import Range

from .devices import Device
from .peers import Inbox


@contextmanager
def eager(loose: int = 4) -> Iterator[None]:
    """Let a few envelopes be worth a snapshot until the block ends."""
    with (
        mock.patch.object(snapshots, "LOOSE_MIN", loose),
        mock.patch.object(snapshots, "LOOSE_CLOSED_MIN", 1),
        mock.patch.object(sending, "LOOK_EVERY", 1),
    ):
        yield


def lying(case: str) -> tuple[Inbox, Device, bytes]:
    """Return a peer that has a device's envelopes, and a snapshot that says something else."""
    inbox, ann = Inbox(), Device(1)
    _, entry = ann.message("what was said")
    last, gone = ann.message("what was taken back")
    raws = [ann.write(entry), ann.write(gone)]
    raws.append(ann.write(ann.delete(last), gone._replace(raw=None)))
    inbox.deliver(*raws)
    links = [link for _, link in ann._links[0]]
    other = Device(7)
    match case:
        case "other words":
            assert entry.raw is not None
            other.update(entry._replace(raw=entry.raw.replace("said", "meant")))
            other.update(gone)
            other.update(ann.delete(last), gone._replace(raw=None))
            return inbox, ann, ann.snapshot(export=other.document(0).export())
        case "left out":
            other.update(entry)
            return inbox, ann, ann.snapshot(export=other.document(0).export())
        case "brought back":
            other.update(entry)
            other.update(gone)
            return inbox, ann, ann.snapshot(export=other.document(0).export())
        case "more than was written":
            ann.update(ann.message("slipped in")[1])
            return inbox, ann, ann.snapshot()
        case "a later stamp":
            return inbox, ann, ann.snapshot(stamp=ann.stamp())
        case "a place left out":
            return inbox, ann, ann.snapshot(ranges=[Range(1, 2, links[1])])
        case "another volume":
            ann.volume = 1
            inbox.deliver(ann.send("in another volume"))
            ann.volume = 0
            ann.update(ann.message("slipped in")[1])
            whole = [Range(1, 4, ann._links[1][0][1])]
            return inbox, ann, ann.snapshot(ranges=whole)
        case "out of order":
            early, late = ann.message("early")[1], ann.message("late")[1]
            other.update(late)
            other.update(early)
            newest = Stamp(late.key)
            return inbox, ann, ann.snapshot(export=other.document(0).export(), stamp=newest)
        case "another link":
            return inbox, ann, ann.snapshot(ranges=[Range(1, 3, bytes(32))])
        case "no journal":
            return inbox, ann, ann.snapshot(export=b"\0\0\0")
    raise AssertionError(case)
