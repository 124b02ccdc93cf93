"""Peers of a simulated world that keep little: what they leave at the relay, and fetch again.

Such a peer has no copy of what it left, so who keeps little is no backup of the relay. What nobody
else has any more would be lost with it, as it would be in the world: so the relay loses nothing
then, and no device is lost while one keeps little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.message import Message
from ..peer import Peer
from ..storage import absent, chains
from ..storage.absent import Absent
from .ports import SeededRandom
from .simpeer import SimPeer

if TYPE_CHECKING:
    from .world import World

_CHANCE = 0.5


class Little:
    """Is what one world knows of peers that keep little; ``peers`` are those that ever did."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.peers: list[SimPeer] = []

    def draw(self, seed: int) -> None:
        """Have some peers keep little, as the seed says; at least two keep all."""
        random = SeededRandom(f"little {seed}")
        others = self._world.peers[2:]
        if others and random.chance(_CHANCE):
            for peer in others[random.below(len(others)) :]:
                self.keep(peer)

    def keep(self, peer: SimPeer, kept: str = "recent") -> None:
        """Have a peer keep what is recent from its next connection on, or all."""
        if peer not in self.peers:
            self.peers.append(peer)
        self._world._did(peer, lambda p: p.rooms()[0].keep_history(kept))

    def fetch(self, peer: SimPeer) -> None:
        """Ask for the newest that a peer left at the relay, as somebody does who scrolls up."""
        if not peer.is_running:
            return  # it died of its last deed

        def act(p: Peer) -> None:
            with p._db.atomic(durable=False):
                absent.want_newest(p._db, p.rooms()[0]._row)

        if peer in self.peers:
            self._world._did(peer, act)

    def want_all(self) -> None:
        """Have everyone keep all, so that they can be compared."""
        for peer in self.peers:
            if not peer.is_lost and peer.is_running:
                self.keep(peer, "all")

    def has_all(self, peer: SimPeer) -> bool:
        """Tell whether a peer has left nothing at the relay."""
        return peer not in self.peers or not peer.room.has_older

    def may_have(self, peer: SimPeer, message: Message) -> bool:
        """Tell whether a peer shows a message, or has left at the relay what may be it."""
        shown = self._world.shown(peer)
        return not self.has_all(peer) or any(found.id == message.id for found in shown)

    def may_lose(self) -> bool:
        """Tell whether all that somebody left at the relay is somewhere else, too."""
        return all(
            self._is_elsewhere(peer, stub)
            for peer in self.peers
            if not peer.is_lost
            for stub in (self._left_by(peer) or ())
        ) and all(peer.is_lost or peer.is_running for peer in self.peers)

    def _left_by(self, peer: SimPeer) -> list[Absent]:
        if not peer.is_running:
            return []
        db, row = peer.peer._db, peer.room._row
        return [
            stub for chain in chains.all_chains(db, row) for stub in absent.of_chain(db, chain.id)
        ]

    def _is_elsewhere(self, peer: SimPeer, stub: Absent) -> bool:
        """Tell whether some running peer has the contents of a stub, or a newer snapshot."""
        own = next(
            c for c in chains.all_chains(peer.peer._db, peer.room._row) if c.id == stub.chain
        )
        for other in self._world.living:
            if other in self.peers or not other.is_running:
                continue
            found = chains.find_chain(other.peer._db, other.room._row, own.device)
            if found is not None and found.seq >= stub.seq:
                return True
        return False
