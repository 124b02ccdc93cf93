"""Parcels: the files of a simulated world, what people do with them, and what must become of them.

The oracle knows which bytes were sent with which message; where a file lies, in how many chunks and
under which names, is the engine's. Bytes that a peer shows are those that were sent, at any moment.
When a healed world has settled, everyone who is shown a file has it, and of a file whose message
was deleted nothing is left, neither at a peer nor at the relay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..core.attachments import Attachment, read_attachment
from ..core.files import File, FileState
from ..core.message import Message
from ..core.values import Root, decode_value
from ..errors import FileAway, FileGone, SealBroken
from ..storage import files
from ..storage.files import FileRow
from ..trust.files import FileSeal, blob_name, chunk_bytes, chunk_count, sealed_size
from .deeds import CANARY
from .judge import token_of
from .oracle import Divergence
from .relay import SimRelay
from .simpeer import SimPeer

if TYPE_CHECKING:
    from ..peer import Peer
    from .world import World


class Parcels:
    """Is what one world knows of files; ``sent`` is the bytes by the token of their message."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.sent: dict[str, bytes] = {}
        self._names: dict[str, set[bytes]] = {}
        self.has_freed = False
        """Whether somebody removed bytes here, which only others or the relay still have."""

    # What people do

    def attach(self, peer: SimPeer, text: str, *, size: int) -> None:
        """Send a file of about so many bytes."""
        world = self._world
        token = world.oracle.next_token()
        full = f"{token} {CANARY} {text}"
        content = (full.encode() * (size // len(full) + 1))[:size]
        self.sent[token] = content
        last = [token_of(m) for m in peer.room.messages(limit=1) if not m.deleted]
        name = f"{token}.bin"
        timer = peer.room.timer
        written: list[Message] = []

        def act(p: Peer) -> None:
            written.append(p.rooms()[0].attach(content, name=name, text=full))

        if world._did(peer, act):
            world.note_timer(peer, token, timer, written)
            world.oracle.wrote(peer.name, token, full, after=last)
        else:
            del self.sent[token]

    def fetch(self, peer: SimPeer, file: File) -> None:
        """Read a file, and where it is not here, or no longer whole, ask for it."""

        def act(p: Peer) -> None:
            room = p.rooms()[0]
            try:
                room.open_file(file.message, file.place).read()
            except (FileAway, FileGone):
                room.fetch(file.message, file.place)
            else:
                if file.state is FileState.STOPPED:  # of one's own, that was not sent
                    room.fetch(file.message, file.place)

        self._world._did(peer, act)

    def cancel(self, peer: SimPeer, file: File) -> None:
        """Stop what is on its way."""
        self._world._did(peer, lambda p: p.rooms()[0].cancel(file.message, file.place))

    def free(self, peer: SimPeer) -> None:
        """Remove bytes that can be fetched again."""
        self.has_freed = True
        self._world._did(peer, lambda p: p.files.free())

    def want_all(self) -> None:
        """Have everyone ask for what they have not got, as people would who want to see it."""
        for peer in self._world.living:
            if peer.is_running:
                for file in self._lacking(peer):
                    self.fetch(peer, file)

    # What must be

    def check_safety(self, peer: SimPeer) -> None:
        """Raise ``Divergence`` if a peer shows other bytes than those that were sent."""
        for message, file, row in self._files(peer):
            if file.state is FileState.HERE:
                self._check_content(peer, message, file, row)

    def are_settled(self) -> bool:
        """Tell whether everybody has all files, and the relay was told of all that went."""
        for peer in self._world.living:
            since = files.new_since(peer.clock.now_ms())  # nobody fetches what is old unasked
            if files.has_work(peer.peer._db, peer.room._row, since=since):
                return False
            if self._is_all_had and any(True for _ in self._lacking(peer)):
                self.want_all()
                return False
        return True

    def check_agreement(self) -> None:
        """Look at everyone in a healed and settled world."""
        for peer in self._world.living:
            self.check_safety(peer)
            if self._is_all_had:
                for file in self._lacking(peer):
                    raise Divergence(f"{peer.name} does not get {file.name}: {file.reason}")
            self._check_nothing_left(peer)
        self._check_relay()

    # Inside

    @property
    def _is_all_had(self) -> bool:
        """Tell whether nothing has happened after which a file may be lost for good."""
        world = self._world
        is_lost = self.has_freed and world.losses
        is_whole = len(world.living) == len(world.peers) and not world.has_forgotten
        return is_whole and not is_lost and not world.was_garbled

    def _files(self, peer: SimPeer) -> Iterator[tuple[Message, File, FileRow]]:
        for message in self._world.shown(peer):
            is_withheld = message.hidden and not message.mine  # by an admin: it shows no files
            if message.attachments and message.thread is None and not is_withheld:
                for file, row in peer.room._pairs(message):
                    yield message, file, row

    def _lacking(self, peer: SimPeer) -> list[File]:
        """Return what a peer has not got, of what does not disappear meanwhile for others."""
        return [
            file
            for message, file, _ in self._files(peer)
            if file.state is not FileState.HERE
            and message.expires_at is None
            and not self._world.may_be_over(message.sent_at)
        ]

    def _check_content(self, peer: SimPeer, message: Message, file: File, row: FileRow) -> None:
        token = token_of(message)
        attachment = read_attachment(message.attachments[file.place])
        self._names.setdefault(token, set()).update(_names_of(attachment, self.sent[token]))
        found = self._read(peer, row)
        if found is None:
            return  # a power cut has taken a part of it; who opens it will notice
        if found != self.sent[token]:
            raise Divergence(f"{peer.name} shows other bytes of {file.name} than were sent")

    def _read(self, peer: SimPeer, row: FileRow) -> bytes | None:
        """Return a file's bytes as they lie on the disk, None where some are not there."""
        db, content = peer.peer._db, b""
        for number in range(row.chunks):
            blob = db.packs.read(row.pack, number, sealed_size(row.size, number))
            if blob is None:
                return None
            try:
                content += FileSeal(row.key).open_chunk(blob, number=number, size=row.size)
            except SealBroken as exc:
                raise Divergence(f"{peer.name} keeps other bytes than were sent: {exc}") from exc
        return content

    def _check_nothing_left(self, peer: SimPeer) -> None:
        """See that a peer keeps no bytes of files that no message shows."""
        db = peer.peer._db
        known = {file.pack for file in files.all_files(db)}
        left = db.packs.names() - known
        if left:
            raise Divergence(f"{peer.name} keeps {len(left)} files that no message shows")
        # Also of what is hidden, and of what is over and about to go.
        stored = db.rows("select value from message where value is not null")
        shown = sum(len(decode_value(Root.MESSAGES, raw).attachments) for (raw,) in stored)
        if len(known) > shown:
            raise Divergence(f"{peer.name} keeps {len(known)} files, and {shown} are shown")

    def _check_relay(self) -> None:
        """See that the relay has nothing of what was deleted."""
        world = self._world
        if world.losses or not self._is_all_had or type(world.relay) is not SimRelay:
            return  # it may have got back what it had, or nobody is left who could tell it
        shown = {token_of(m) for m in world.shown(world.living[0]) if not m.deleted}
        shown |= {token for token in self.sent if token in world.passing()}
        at_relay = {name for _, name in world.relay.blobs._kept}
        for token, names in self._names.items():
            if token not in shown and names & at_relay:
                raise Divergence(f"the relay keeps the file of {token}, which was deleted")


def _names_of(attachment: Attachment, content: bytes) -> list[bytes]:
    """Return the names of a file's blobs."""
    seal, size = FileSeal(attachment.key), chunk_bytes()
    chunks = [
        blob_name(seal.chunk(number, content[number * size : (number + 1) * size]))
        for number in range(chunk_count(len(content)))
    ]
    return [attachment.root, *chunks]
