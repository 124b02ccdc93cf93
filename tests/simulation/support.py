"""Worlds that tell all about themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from syncchat.testing import SimPeer, World, random_schedule
from syncchat.testing.playing import play


class NotingWorld(World):
    """Is a world whose fingerprint counts every commit's database as well."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for peer in self.peers:
            self._watch(peer)

    def add_peer(self) -> SimPeer:
        peer = super().add_peer()
        self._watch(peer)
        return peer

    def _watch(self, peer: SimPeer) -> None:
        peer.disk.note = partial(self.loop.note, peer.name)


def fingerprints(seeds: Iterable[int], *, show: Callable[[str], object] = print) -> None:
    """Show the fingerprint of the run of each seed."""
    for seed in seeds:
        outcome = play(random_schedule(seed), make_world=NotingWorld)
        assert not outcome.failure, outcome.failure
        show(outcome.fingerprint)
