"""The simulated world: peers and a relay on one clock, faults at will, and checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from ..core.message import Message, Status
from ..ids import RoomId
from ..peer import Peer
from ..room import Room
from ..storage import chains
from .disk import SimCrash
from .loop import Loop
from .oracle import Divergence, Oracle, Seen
from .ports import SeededRandom
from .relay import URL, SimRelay
from .simpeer import SimPeer

CANARY = "canary"
SETTLE_MS_MAX = 300_000
"""Virtual time that a healed world has until everything has converged: ten longest back-offs."""

_RANKS = {status: rank for rank, status in enumerate(Status)}


class World:
    """Is a small universe with one room that all its peers are in.

    ::

        with World(seed=1, peers=3) as world:
            alice, bob, carol = world.peers
            bob.go_offline()
            world.write(alice, "hello")
            world.write(bob, "written offline")
            world.run(seconds=5)
            world.heal()            # everything works again and has time to settle
            world.check()           # everyone shows what everyone wrote, or Divergence is raised

    The same seed and the same calls give the same run to the byte.
    """

    def __init__(self, *, seed: int, peers: int = 3, relay: type[SimRelay] = SimRelay) -> None:
        self.loop = Loop()
        self.random = SeededRandom(f"syncchat {seed}")
        self.relay = relay(self.loop, self.random)
        self.oracle = Oracle()
        self.peers = [
            SimPeer(f"peer{number}", self.loop, self.random, self.relay) for number in range(peers)
        ]
        first = self.peers[0]
        room = first.peer.create_room("start", relay=URL)
        self.oracle.titled(first.name, "start")
        link = room.invite()
        self._names: dict[str, str] = {first.peer.device: first.name}
        for other in self.peers[1:]:
            other.peer.join(link)
            self._names[other.peer.device] = other.name
        self._statuses: dict[tuple[str, str], Status] = {}
        self._backups: dict[str, list[tuple[int, int]]] = {}
        self._restored: set[str] = set()
        self._losses = 0
        self.online()

    def __enter__(self) -> World:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for peer in self.peers:
            if peer.is_running:
                peer.kill()

    @property
    def room_id(self) -> RoomId:
        """Return the id of the room."""
        return next(peer.room.id for peer in self.peers if peer.is_running)

    def online(self) -> None:
        """Bring every peer online."""
        for peer in self.peers:
            peer.go_online()

    def run(self, *, seconds: float) -> None:
        """Let virtual time pass."""
        self.loop.run(self.loop.now_ms + round(seconds * 1000))

    # What people do; each deed is noted by the oracle exactly if it took place

    def write(
        self,
        peer: SimPeer,
        text: str,
        *,
        reply_to: Message | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a message; a token is put before the text."""
        token = self.oracle.next_token()
        full = f"{token} {CANARY} {text}"
        target = None if reply_to is None else _token_of(reply_to)
        answered = None if reply_to is None else reply_to.id
        if self._did(peer, lambda p: p.rooms()[0].send(full, reply_to=answered, metadata=metadata)):
            self.oracle.wrote(peer.name, token, full, reply_to=target)

    def edit(self, peer: SimPeer, message: Message, text: str) -> None:
        """Change an own message."""
        token = _token_of(message)
        full = f"{token} {CANARY} {text}"
        if self._did(peer, lambda p: p.rooms()[0].edit(message.id, full)):
            self.oracle.edited(peer.name, token, full)

    def delete(self, peer: SimPeer, message: Message) -> None:
        """Delete an own message."""
        if self._did(peer, lambda p: p.rooms()[0].delete(message.id)):
            self.oracle.deleted(peer.name, _token_of(message))

    def react(self, peer: SimPeer, message: Message, emoji: str, *, on: bool = True) -> None:
        """React to a message, or take it back."""

        def act(p: Peer) -> None:
            (p.rooms()[0].react if on else p.rooms()[0].unreact)(message.id, emoji)

        if self._did(peer, act):
            self.oracle.reacted(peer.name, _token_of(message), emoji, on=on)

    def read(self, peer: SimPeer, upto: Message | None = None) -> None:
        """Mark a message and everything shown before it as read."""
        shown = self.shown(peer)
        if self._did(peer, lambda p: p.rooms()[0].mark_read(upto.id if upto else None)):
            self.oracle.read(
                peer.name,
                [
                    _token_of(message)
                    for message in shown
                    if not message.deleted
                    and not message.mine
                    and (upto is None or message.id <= upto.id)
                ],
            )

    def retitle(self, peer: SimPeer, title: str) -> None:
        """Give the room another title."""
        if self._did(peer, lambda p: p.rooms()[0].set_title(title)):
            self.oracle.titled(peer.name, title)

    def back_up(self, peer: SimPeer) -> None:
        """Take a backup of a peer's database."""
        peer.keep_image()
        deed = (self.oracle.number, self._losses)
        self._backups.setdefault(peer.name, []).append(deed)

    def restore(self, peer: SimPeer) -> bool:
        """Put a peer's last backup in the place of its database, and start it.

        Does nothing, and says so, where there is none, or where the relay has lost something
        since it was taken: a device that forgets what it wrote while the relay forgets it too
        writes a second history (see the threat model), and peers rightly freeze it.
        """
        taken = self._backups.get(peer.name)
        if not taken or taken[-1][1] < self._losses or not self.relay_knows(peer):
            return False
        since, _ = taken.pop()
        peer.restore()
        self.oracle.restored(peer.name, since)
        self._restored.add(peer.name)
        self._forget_statuses(peer)
        peer.start()
        return True

    def cut_power(self, peer: SimPeer, pick: int) -> None:
        """Cut a machine's power; what others did and was not synced to disk is fetched again."""
        peer.cut_power(pick)
        self._forget_statuses(peer)

    def lose_relay(self, lose: Callable[[], object]) -> bool:
        """Wipe or roll back the relay, unless a restored peer has yet to learn from it."""
        self._restored = {
            peer.name
            for peer in self.peers
            if peer.name in self._restored
            and not (peer.exchange is not None and peer.exchange.is_live(peer.room.id))
        }
        if self._restored:
            return False
        lose()
        self._losses += 1
        self.relay.start()
        return True

    def relay_knows(self, peer: SimPeer) -> bool:
        """Tell whether the relay has the whole chain of a running peer."""
        if not peer.is_running:
            return False
        own = chains.find_chain(peer.peer._db, 1, peer.peer.device)
        known = dict(self.relay.log.chains(self.room_id))
        return own is None or known.get(own.key[:8], 0) >= own.acked

    def shown(self, peer: SimPeer) -> list[Message]:
        """Return all that a peer shows, in display order."""
        return peer.room.messages(limit=1000)

    # Checks

    def check_safety(self, peer: SimPeer) -> None:
        """Raise ``Divergence`` if a running peer shows what it must never show, faults or not."""
        if not peer.is_running:
            return
        shown = self.shown(peer)
        self.oracle.check_own(peer.name, self._seen(shown))
        for message in shown:
            if message.mine:
                place = (peer.name, message.id)
                before = self._statuses.get(place, Status.QUEUED)
                if _RANKS[message.status] < _RANKS[before]:
                    raise Divergence(
                        f"{peer.name}: {_token_of(message)} went from {before} to {message.status}"
                    )
                self._statuses[place] = message.status

    def heal(self) -> None:
        """End every fault, bring everyone online, and let the world settle.

        Raises ``Divergence`` when it has not settled in ``SETTLE_MS_MAX`` of virtual time.
        """
        self.relay.start()
        for peer in self.peers:
            peer.disk.is_full = False
            peer.disk.crash_in = None
            peer.can_reach_relay = True
            if peer.link is not None and (peer.link.is_half_open or peer.link.garble):
                peer.link.cut()
            if peer.link is not None:
                peer.link.delay_ms = 0
            peer.start()
            peer.go_online()
        end = self.loop.now_ms + SETTLE_MS_MAX
        while self.loop.now_ms < end:
            self.run(seconds=2)
            if self.is_settled():
                return
        states = ", ".join(f"{p.name}: {self._progress(p)}" for p in self.peers)
        raise Divergence(f"not settled after {SETTLE_MS_MAX // 1000} s of peace ({states})")

    def is_settled(self) -> bool:
        """Tell whether all outboxes are empty, all peers caught up, and all digests equal."""
        digests = set()
        for peer in self.peers:
            exchange = peer.exchange
            if exchange is None or not exchange.is_live(peer.room.id) or peer.room.outbox():
                return False
            digests.add(peer.room.digest())
        return len(digests) == 1

    def check(self, *, deep: bool = False) -> None:
        """Raise ``Divergence`` unless every peer shows what everyone wrote.

        Compares each view with the oracle, digests with each other, counts with recounts, and
        looks for plaintext at the relay. ``deep`` verifies every stored signature as well.
        """
        digests = {peer.name: peer.room.digest() for peer in self.peers}
        if len(set(digests.values())) > 1:
            raise Divergence(f"digests differ: {digests}")
        for peer in self.peers:
            self.check_safety(peer)
            seen = self._seen(self.shown(peer))
            self.oracle.check(peer.name, seen)
            self.oracle.check_unread(peer.name, seen, peer.room.unread())
            self.oracle.check_title(peer.name, peer.room.title)
            faults = peer.peer.check() if deep else peer.peer.recount()
            if faults:
                raise Divergence(f"{peer.name}: {'; '.join(faults)}")
        if CANARY.encode() in self.relay.stored_bytes():
            raise Divergence("the relay holds plaintext")

    def check_view(self, view: Callable[[Room], object]) -> None:
        """Raise ``Divergence`` unless what ``view`` makes of the room is equal at every peer.

        For what an app computes from messages: a poll, a shared counter, a board. Call it after
        ``heal``; before, peers may differ.
        """
        views = {peer.name: view(peer.room) for peer in self.peers}
        first = views[self.peers[0].name]
        if any(other != first for other in views.values()):
            shown = "\n".join(f"  {name} shows {value!r}" for name, value in views.items())
            raise Divergence(f"the view {_name_of(view)} differs between peers\n{shown}")

    # Inside

    def _did(self, peer: SimPeer, act) -> bool:  # type: ignore[no-untyped-def]
        """Do something on a peer; tell whether it took place."""
        from ..errors import StorageError

        try:
            peer.do(lambda: act(peer.peer))
        except SimCrash as crash:
            return crash.committed
        except StorageError:
            return False
        return True

    def _seen(self, shown: list[Message]) -> list[Seen]:
        return [
            Seen(
                message.id,
                self._names[message.sender],
                message.text,
                message.deleted,
                message.reply_to,
                frozenset((self._names[r.member], r.emoji) for r in message.reactions),
            )
            for message in shown
        ]

    def _forget_statuses(self, peer: SimPeer) -> None:
        self._statuses = {p: s for p, s in self._statuses.items() if p[0] != peer.name}

    def _progress(self, peer: SimPeer) -> str:
        state = peer.exchange.state if peer.exchange else "no connection"
        return f"{state}, {len(peer.room.outbox())} in the outbox, digest {peer.room.digest()[:8]}"


def _name_of(view: Callable[[Room], object]) -> str:
    return getattr(view, "__name__", type(view).__name__)


def _token_of(message: Message) -> str:
    return message.text.split(" ", 1)[0]
