"""The simulated world: peers and a relay on one clock, faults at will, and checks."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from ..core.keeping import DAY_MS
from ..core.refusals import Refusal
from ..ids import RoomId
from ..room import Room
from ..storage import chains, members, previews, rooms
from .deeds import CANARY
from .doings import Doings
from .judge import Judge
from .little import Little
from .loop import Loop
from .oracle import Divergence, Oracle
from .parcels import Parcels
from .ports import SeededRandom
from .relay import URL, SimRelay
from .simpeer import SimPeer

SETTLE_MS_MAX = 300_000
"""Virtual time that a healed world has until everything has converged: ten longest back-offs."""

JOIN_MS_MAX = 20_000
"""Virtual time in which all peers must have joined a world's room."""

PEACE_MS = 12_000
"""How long a connection is left alone before it must come back at once when it is cut."""

NEWCOMER_S = 4
"""Virtual time after which a newcomer who keeps little shows what is recent."""

RETURN_MS_MAX = 4_000
"""Virtual time in which it must: the first back-off, a handshake, and a resend."""

ORDERED_SKEW_MS_MAX = 4 * 60 * 1000
"""How far clocks may differ where replies must still be shown after what they answer."""


class World(Doings):
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
        super().__init__()
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
        self.room_id: RoomId = room.id
        self._link = room.invite(uses=0)
        self.names: dict[str, str] = {first.peer.id: first.name}
        for other in self.peers[1:]:
            other.peer.join(self._link)
            self.names[other.peer.id] = other.name
        self.was_garbled = self.has_newcomer = False
        self.has_forgotten = False
        """Whether a disk went back in time."""
        self._judge = Judge(self)
        self.parcels = Parcels(self)
        self.little = Little(self)
        self._backups: dict[str, list[tuple[int, int]]] = {}
        self._restored: set[str] = set()
        self.losses = 0
        self.online()
        self._come_in()
        for peer in self.peers:
            peer.watch = self._judge.check_cursor
        self.started_ms = self.loop.now_ms
        """When everybody had come in."""

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
            peer.disk.close()

    @property
    def living(self) -> list[SimPeer]:
        """Return the peers whose devices are not gone for good."""
        return [peer for peer in self.peers if not peer.is_lost]

    def online(self) -> None:
        """Bring every peer online."""
        for peer in self.peers:
            peer.go_online()

    def run(self, *, seconds: float) -> None:
        """Let virtual time pass."""
        self.loop.run(self.loop.now_ms + round(seconds * 1000))

    def sleep(self, *, days: float) -> None:
        """Let every machine sleep for days: clocks go on, and nothing happens meanwhile."""
        self.loop.slept_ms += round(days * DAY_MS)

    # What people do: see ``Deeds`` and ``Doings``

    def rebuild(self, peer: SimPeer) -> bool:
        """Fold a peer's view anew from its envelopes and outbox; tell whether it took place.

        Raises ``Divergence`` if it is not the view that was kept, but for what is shown ahead of
        the room's log, which is in no chain yet.
        """
        if not self._did(peer, lambda p: p._fade()) or not peer.is_running:
            return False  # it was killed, or its computer was, in the middle of that
        if previews.all_previews(peer.peer._db, peer.room._row):
            return self._did(peer, lambda p: p.rebuild())
        with self._judge.expecting_no_change(peer):
            return self._did(peer, lambda p: p.rebuild())

    def add_peer(self) -> SimPeer:
        """Have somebody new join the room, with nothing of its history yet."""
        peer = SimPeer(f"peer{len(self.peers)}", self.loop, self.random, self.relay)
        peer.peer.join(self._link)
        self.has_newcomer = True
        self.peers.append(peer)
        self.names[peer.peer.id] = peer.name
        if self.little.peers:
            self.little.keep(peer)
        peer.go_online()
        return peer

    def _come_in(self) -> None:
        """Let time pass until everybody is a member, before anything goes wrong."""
        until_ms = self.loop.now_ms + JOIN_MS_MAX
        while any(peer.room.standing != "member" for peer in self.peers):
            if self.loop.now_ms > until_ms:
                raise Divergence("the peers did not come in")
            self.run(seconds=0.05)

    def lose_device(self, peer: SimPeer) -> None:
        """Have a device be gone for good; what others have of it must still spread.

        Not while somebody leaves history at the relay, of which that device may have the only copy.
        """
        if self.little.peers:
            return
        peer.is_lost = True
        peer.kill()
        self.oracle.lost(peer.name)
        self._restored.discard(peer.name)

    def garble(self, peer: SimPeer, *, frames: int = 1) -> None:
        """Flip a bit in the next frame, or several, on a peer's connection."""
        if peer.link is not None:
            peer.link.garble += frames
            self.was_garbled = True

    def back_up(self, peer: SimPeer) -> None:
        """Take a backup of a peer's database."""
        peer.keep_image()
        deed = (self.oracle.number, self.losses)
        self._backups.setdefault(peer.name, []).append(deed)

    def restore(self, peer: SimPeer) -> bool:
        """Put a peer's last backup in the place of its database, and start it.

        Does nothing, and says so, where there is none, or where the relay has lost something
        since it was taken: a device that forgets what it wrote while the relay forgets it too
        writes a second history (see the threat model), and peers rightly freeze it.
        """
        taken = self._backups.get(peer.name)
        if not taken or taken[-1][1] < self.losses or not self.relay_knows(peer):
            return False
        since, _ = taken.pop()
        self.has_forgotten = True
        peer.restore()
        self.oracle.restored(peer.name, since)
        self._restored.add(peer.name)
        self.ever_restored.add(peer.name)
        self._forget_statuses(peer)
        peer.start()
        return True

    def cut_power(self, peer: SimPeer, pick: int) -> None:
        """Cut a machine's power; what others did and was not synced to disk is fetched again."""
        self.has_forgotten = True
        peer.cut_power(pick)
        self._forget_statuses(peer)

    def lose_relay(self, lose: Callable[[], object]) -> bool:
        """Wipe or roll back the relay, unless a restored peer has yet to learn from it, or somebody
        left history there that nobody else has."""
        self._restored = {
            peer.name
            for peer in self.peers
            if peer.name in self._restored
            and not (peer.exchange is not None and peer.exchange.is_live(peer.room.id))
        }
        if self._restored or not self.little.may_lose():
            return False
        lose()
        self.losses += 1
        self.relay.start()
        return True

    def relay_knows(self, peer: SimPeer) -> bool:
        """Tell whether the relay has the whole chain of a running peer."""
        if not peer.is_running:
            return False
        own = chains.find_chain(peer.peer._db, 1, peer.peer.device)
        known = dict(self.relay.log.chains(self.room_id))
        return own is None or known.get(own.key[:8], 0) >= own.acked

    # Checks

    def check_safety(self, peer: SimPeer) -> None:
        """Raise ``Divergence`` if a running peer shows what it must never show, faults or not."""
        if peer.is_running:
            self._note_clocks()
            self._judge.check_safety(peer)
            self.parcels.check_safety(peer)

    def heal(self) -> None:
        """End every fault, start and switch on what is off, and let the world settle.

        Nobody is helped further: who waits to connect again waits, and who has a connection that
        is silent has to notice. Raises ``Divergence`` when the world has not settled in
        ``SETTLE_MS_MAX`` of virtual time.
        """
        self.relay.start()
        for peer in self.living:
            peer.disk.is_full = False
            peer.disk.crash_in = None
            peer.can_reach_relay = True
            if peer.link is not None:
                peer.link.garble = peer.link.delay_ms = 0
            peer.start()
            if not peer.wants_online:
                peer.go_online()
        self.parcels.want_all()
        self.little.want_all()
        self.settle(within_ms=SETTLE_MS_MAX)

    def settle(self, *, within_ms: int, step_ms: int = 2_000) -> None:
        """Let time pass until the world has settled; raises ``Divergence`` if it takes longer."""
        end = self.loop.now_ms + within_ms
        while self.loop.now_ms < end:
            self.run(seconds=step_ms / 1000)
            if self.is_settled():
                return
        states = ", ".join(f"{p.name}: {self._progress(p)}" for p in self.living)
        raise Divergence(f"not settled after {within_ms / 1000:g} s of peace ({states})")

    def shake(self) -> None:
        """Shake a settled world once more: a newcomer, and all connections cut after a peace.

        The newcomer must get the whole history from the relay; those who were cut must be back
        soon, because nothing was wrong with their connections for long; everyone must know that
        what they wrote was delivered; and views must be equal to those folded anew.
        """
        self.add_peer()
        self.little.want_all()
        self.settle(within_ms=SETTLE_MS_MAX)
        self.run(seconds=PEACE_MS / 1000)
        self._judge.check_delivered(self.living)
        for peer in self.living:
            if peer.link is not None:
                peer.link.cut()
            self.write(peer, "written while the connection is cut")
        self.settle(within_ms=RETURN_MS_MAX, step_ms=500)
        self.check()
        for peer in self.living:
            self.rebuild(peer)
            self._judge.check_erasure(peer)
        if self.may_pass:  # what is over by now is deleted by its author, and then by the others
            self.settle(within_ms=RETURN_MS_MAX, step_ms=500)

    def look_up(self) -> None:
        """Have somebody new join a settled world who keeps little, and then look at all of it."""
        newcomer = self.add_peer()
        for _ in range(3):
            self.run(seconds=NEWCOMER_S)
            self.check_safety(newcomer)
            self.rebuild(newcomer)
            self.little.fetch(newcomer)
        self.little.want_all()
        self.settle(within_ms=SETTLE_MS_MAX)
        self.check()

    def is_settled(self) -> bool:
        """Tell whether all outboxes are empty, all peers caught up, and all digests equal.

        And whether an honest relay has got back what it had lost, and everyone has all of its
        log: who has not noticed yet that a connection is dead only believes to be up to date.
        """
        digests = set()
        for peer in self.living:
            exchange = peer.exchange
            if exchange is None or not exchange.is_live(peer.room.id) or _waits(peer.room):
                return False
            if members.intents(peer.peer._db, 1, is_open=True):
                return False
            if type(self.relay) is SimRelay and not self._is_even(peer):
                return False
            if not self.little.has_all(peer):
                return False
            digests.add(peer.room.digest())
        return len(digests) == 1 and self.parcels.are_settled()

    def _is_even(self, peer: SimPeer) -> bool:
        """Tell whether neither a peer nor the relay lacks what the other has."""
        row = rooms.all_rooms(peer.peer._db)[0]
        is_read = row.cursor == self.relay.log.head(self.room_id).seq
        is_given_back = not members.unsent_records(peer.peer._db, row.id)
        return is_read and is_given_back and not rooms.owes_refill(peer.peer._db, row.id)

    def check(self, *, deep: bool = False) -> None:
        """Raise ``Divergence`` unless every peer shows what everyone wrote.

        Compares each view with the oracle and with the others', envelopes with those of the relay,
        counts with recounts, and looks for plaintext at the relay. ``deep`` verifies every stored
        signature as well.
        """
        self._note_clocks()
        self._judge.check_agreement(self.living)
        self.parcels.check_agreement()
        for peer in self.living:
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
        __tracebackhide__ = True  # pytest shows the caller's line
        views = {peer.name: view(peer.room) for peer in self.living}
        first = next(iter(views.values()))
        if any(other != first for other in views.values()):
            shown = "\n".join(f"  {name} shows {value!r}" for name, value in views.items())
            raise Divergence(f"the view {_name_of(view)} differs between peers\n{shown}")

    # Inside

    def _note_clocks(self) -> None:
        """Tell the oracle whether clocks were ever too far apart to keep causes before effects."""
        most = max(peer.clock.skew_most_ms for peer in self.peers)
        least = min(peer.clock.skew_least_ms for peer in self.peers)
        self.oracle.is_ordered = most - least <= ORDERED_SKEW_MS_MAX

    def _forget_statuses(self, peer: SimPeer) -> None:
        self._judge.forget(peer)

    def _progress(self, peer: SimPeer) -> str:
        state = peer.exchange.state if peer.exchange else "no connection"
        return f"{state}, {len(peer.room.outbox())} in the outbox, digest {peer.room.digest()[:8]}"


def _name_of(view: Callable[[Room], object]) -> str:
    return getattr(view, "__name__", type(view).__name__)


def _waits(room: Room) -> bool:
    """Tell whether something is still to go out; what can go nowhere any more is parked alone."""
    return any(item.refusal is not Refusal.TARGET_GONE for item in room.outbox())
