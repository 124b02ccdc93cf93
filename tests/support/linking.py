"""A second device of somebody's, in a simulated world."""

from __future__ import annotations

from syncchat.testing import SimPeer, World
from syncchat.testing.relay import URL


def linked(world: World, first: SimPeer, name: str) -> SimPeer:
    """Return another device of the first one's person, with all that the person has."""
    first.do(lambda: first.peer.devices.set_home(URL))
    world.run(seconds=2)
    link = first.do(first.peer.devices.link)
    world.run(seconds=2)
    device = SimPeer(name, world.loop, world.random, world.relay)
    device.peer.devices.ask(link)
    device.go_online()
    world.run(seconds=3)
    (asking,) = first.peer.devices.asking()
    assert asking.emoji == device.peer.devices.own_emoji() != ()
    first.do(lambda: first.peer.devices.approve(asking.id))
    world.run(seconds=10)
    assert first.peer.devices.asking() == []
    return device
