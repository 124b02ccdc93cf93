"""Two peers with a relay and a line between them, for tests of files."""

from __future__ import annotations

from typing import Any

from syncchat_relay import Config

from syncchat.core.attachments import Attachment, read_attachment
from syncchat.core.files import FileState
from syncchat.core.message import Message
from syncchat.peer import Peer
from syncchat.room import Room
from syncchat.wire import frames
from tests.support.peers import LINK, Line, Net, make_peer
from tests.support.ports import FakeClock


class Wire(Net):
    """Is a net that keeps every frame about files, and can leave out some."""

    def __init__(self, *, config: Config | None = None) -> None:
        super().__init__(config=config)
        self.sent: list[frames.AnyFrame] = []
        self.is_deaf = False
        receive = self.world.hub.receive

        def heard(conn: int, data: bytes, now_ms: int) -> Any:
            frame = frames.decode(data)
            assert frame is not None
            self.sent.append(frame)
            is_about_files = 21 <= type(frame).__struct_config__.tag <= 26  # type: ignore[operator]
            return [] if self.is_deaf and is_about_files else receive(conn, data, now_ms)

        self.world.hub.receive = heard  # type: ignore[method-assign]

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the frames of one kind that the relay got."""
        return [frame for frame in self.sent if isinstance(frame, kind)]

    def names(self) -> set[bytes]:
        """Return the names of all blobs that the relay has."""
        return {name for _, name in self.world.blobs._kept}  # type: ignore[attr-defined]


class Two:
    """Is Alice and Bob with a room, and a net between them."""

    def __init__(self, wire: Wire | None = None) -> None:
        self.wire = wire or Wire()
        self.clocks = (FakeClock(), FakeClock())
        self.alice = make_peer(1, clock=self.clocks[0], name="Alice")
        self.bob = make_peer(2, clock=self.clocks[1], name="Bob")
        self.a, self.b = self.alice.join(LINK), self.bob.join(LINK)
        for peer in (self.alice, self.bob):
            line = self.wire.connect(peer)
            self.wire.settle()
            self.wire.cut(line)
        assert self.a.standing == self.b.standing == "member"

    def sync(self, *peers: Peer) -> list[Line]:
        """Connect, and move all there is to move."""
        lines = [self.wire.connect(peer) for peer in peers or (self.alice, self.bob)]
        self.wire.settle()
        return lines

    def advance(self, ms: int) -> None:
        """Let time pass for everyone."""
        self.wire.advance(ms, *self.clocks)


def attachment_of(message: Message) -> Attachment:
    return read_attachment(message.attachments[0])


def state_of(room: Room, message: Message) -> FileState:
    return room.file(message.id).state
