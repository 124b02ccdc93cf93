"""The corpus: small named inputs for each target, in hex, kept in the repository."""

from __future__ import annotations

from pathlib import Path

import zstandard

from syncchat.core.journal import Volume
from syncchat.core.snapshots import content_of, export_of
from syncchat.trust import chain
from syncchat.trust.records import Record
from syncchat.trust.seal import _PAD_MARK
from syncchat.wire import frames
from tests import vectors
from tests.support.people import Human
from tests.vectors.bases import ALICE, BOB, CHALLENGE, INCARNATION, ROOM
from tests.vectors.logs import change_name

from .conversations import CONVERSATIONS, OTHER_ROOM
from .doors import CONNECT, DOORS, FRAME, LEAVE, MAKE, OPEN, PROVE, RECORD, WAIT
from .targets import LOG, NUMBER, TARGETS, VOLUMES

FOLDER = Path(__file__).parent / "corpus"
ALL = TARGETS | CONVERSATIONS | DOORS


def load(target: str) -> dict[str, bytes]:
    """Return the inputs kept for a target, by name."""
    path = FOLDER / f"{target}.txt"
    if not path.exists():
        return {}
    rows = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {row[0]: bytes.fromhex(row[1] if len(row) > 1 else "") for row in rows if row}


def write_seeds() -> list[str]:
    """Write the seeds anew, and keep what was found; return the names of changed files."""
    changed = []
    for target in ALL:
        kept = {name: raw for name, raw in load(target).items() if name.startswith("found-")}
        lines = [f"{name} {raw.hex()}\n" for name, raw in (seeds(target) | kept).items()]
        path = FOLDER / f"{target}.txt"
        if not path.exists() or path.read_text(encoding="utf-8") != "".join(lines):
            path.write_text("".join(lines), encoding="utf-8")
            changed.append(path.name)
    return changed


def seeds(target: str) -> dict[str, bytes]:
    """Return valid inputs of a target, by name."""
    match target:
        case "update":
            return _updates()
        case "snapshot":
            return {
                f"volume-{number}": Volume(NUMBER, known.updates).export()
                for number, known in enumerate(VOLUMES)
            } | {
                f"counted-{number}": export_of(content_of(NUMBER, None, known.updates))
                for number, known in enumerate(VOLUMES)
            }
        case "frame":
            return {vector.name: vector.raw for vector in vectors.frames()}
        case "envelope":
            log = vectors.load("envelopes")["log"]
            return {
                f"log-{number}": bytes.fromhex(row["envelope"]) for number, row in enumerate(log)
            } | {"snapshot": bytes.fromhex(vectors.load("snapshots")["envelope"])}
        case "signed":
            row = vectors.load("envelopes")["log"][0]
            head, body = bytes.fromhex(row["header"]), bytes.fromhex(row["body"])
            return {"first": len(head).to_bytes(2) + head + body}
        case "sealed":
            return _texts()
        case "invite":
            links = [row["link"].encode() for row in vectors.load("invites")]
            return {f"link-{number}": b"\1" + link for number, link in enumerate(links)}
        case "record":
            return {
                f"{number}-{row['name']}": bytes.fromhex(row["record"])
                for number, row in enumerate(vectors.load("records")["room"]["log"])
            } | {row["name"].replace(" ", "-"): bytes.fromhex(row["record"]) for row in _refused()}
        case "change":
            return {
                f"{number}-{change_name(record)}": bytes((record.kind % 20,)) + record.content
                for number, record in enumerate(LOG)
            }
        case "person":
            return {
                f"record-{number}": bytes((record.kind,)) + record.content
                for number, record in enumerate(_person_seeds())
            }
        case "session":
            return {"whole": _session(), "refused": _said(frames.Error(1, 0, "no"))}
        case "doors":
            return {f"mode-{mode}": _doors(mode) for mode in (0, 1, 2, 4, 5, 6)}
        case _:
            return {"whole": _hub()}


def _updates() -> dict[str, bytes]:
    last = len(VOLUMES) - 2
    found = {
        f"next-{number}": bytes((number,)) + VOLUMES[number + 1].updates[-1]
        for number in range(last)
    }
    return found | {"closed": bytes((last + 1,)) + VOLUMES[last].updates[-1]}


def _texts() -> dict[str, bytes]:
    update = VOLUMES[1].updates[0]
    squeezed = zstandard.ZstdCompressor(level=9, write_content_size=True).compress(update * 20)
    return {
        "plain": b"\0" + update + bytes((_PAD_MARK,)) + bytes(9),
        "zstd": b"\1" + squeezed + bytes((_PAD_MARK,)) + bytes(9),
    }


def _said(frame: frames.Frame) -> bytes:
    raw = frames.encode(frame)
    return b"\1" + len(raw).to_bytes(2) + raw


def _refused() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = vectors.load("records")["refused"]
    return [row for row in rows if row["record"]]


def _person_seeds() -> list[Record]:
    """Return what the vectors' person did, and the certificate of one more device."""
    human = Human(1)
    human.certify(by=human.device)
    human.revoke(human.devices[0], by=human.devices[1])
    human.certify(by=human.devices[1])
    return human.log


def _session() -> bytes:
    """Return a conversation in which the relay says everything that it may."""
    said = [
        frames.Hello(1, 1, INCARNATION, CHALLENGE),
        frames.Opened([4, 5], [frames.RoomState(1, 0, 2, 0), frames.RoomState(0, 0, 0, 0, True)]),
        frames.Ping(1),
        frames.Access(4, True),
        frames.Deliver(5, 0, [b"an envelope", b"another"]),
        frames.Live(5, 2, bytes(8)),
        frames.Ack(4, 1, [frames.AckItem(0, 1)]),
        frames.Ack(4, 2, [frames.AckItem(1, 1)]),
        frames.Access(5, False),
        frames.Cursors(4, [frames.DeviceCursor(BOB.public[:8], 1)]),
        frames.Chains(4, [frames.ChainHead(ALICE.public[:8], 1)], True),
        frames.Chains(4, [frames.ChainHead(BOB.public[:8], 1)], False),
        frames.Pong(1),
        frames.Bye(),
    ]
    return b"\x02".join(_said(frame) for frame in said) + bytes((80, 80, 80))


def _hub() -> bytes:
    """Return a conversation of two devices with a relay, in which one writes to the other."""
    log = vectors.load("envelopes")["log"]
    envelopes = [bytes.fromhex(row["envelope"]) for row in log]
    cursors = [
        frames.RoomCursor(room, 0, chain.EMPTY_FINGERPRINT, 0) for room in (ROOM, OTHER_ROOM)
    ]

    def said(conn: int, frame: frames.Frame) -> bytes:
        raw = frames.encode(frame)
        return bytes((conn | 1 << 2,)) + len(raw).to_bytes(2) + raw

    def does(conn: int, act: int) -> bytes:
        return bytes((conn | act << 2,))

    connect, prove, leave, wait = 0, 2, 3, 4
    return b"".join(
        (
            does(0, connect),
            does(0, prove),
            said(0, frames.Open(bytes(8), cursors)),
            does(1, connect),
            does(1, prove),
            said(1, frames.Open(INCARNATION, cursors)),
            said(0, frames.Push(1, 1, envelopes)),
            said(1, frames.Applied(1, 5)),
            does(0, wait) * 4,
            said(0, frames.AskCursors(1)),
            said(0, frames.AskChains(1)),
            said(0, frames.AskContents(1, [1, 9])),
            said(0, frames.Push(1, 2, envelopes[:1])),
            said(0, frames.Push(2, 3, envelopes[1:2])),
            said(1, frames.Ping(1)),
            does(1, leave),
            said(0, frames.Bye()),
        )
    )


def _doors(mode: int) -> bytes:
    """Return a conversation at a closed room's door: in, out, and all that should not be there."""

    def does(conn: int, act: int, said: bytes | None = None) -> bytes:
        kind = bytes((conn | act << 2,))
        return kind if said is None else kind + len(said).to_bytes(2) + said

    def makes(conn: int, *things: tuple[int, int, int]) -> bytes:
        return does(conn, MAKE, b"".join(map(bytes, things)))

    every_kind = [(kind, 1, 5) for kind in range(19)]
    return bytes((mode,)) + b"".join(
        (
            *(does(conn, act) for conn in range(4) for act in (CONNECT, PROVE, OPEN)),
            makes(2, (0, 0, 0)),
            makes(0, (17, 0, 1), (0, 2, 0)),
            does(3, FRAME, frames.encode(frames.Ping(1))),
            makes(3, (12, 0, 6), (0, 0, 0), (2, 0, 0), (0, 0, 0)),
            makes(1, (0, 2, 0), (7, 0, 0), (16, 1, 0)),
            makes(0, (4, 1, 0), (0, 0, 0)),
            makes(1, *every_kind),
            makes(2, *every_kind),
            *(does(0, RECORD, bytes((kind,)) + b"\x90") for kind in (9, 15)),
            makes(0, (12, 0, 0), (12, 0, 3), (13, 0, 0), (14, 9, 0)),
            does(1, LEAVE),
            does(0, WAIT),
            does(2, FRAME, b"junk"),
        )
    )
