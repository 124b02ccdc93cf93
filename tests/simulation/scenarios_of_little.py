"""Scenarios of peers that keep little, and for seeded defects in that; ``test_little`` plays them.

Alice fills small volumes, of which snapshots stand at the relay. Who joins late keeps little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from unittest import mock

from syncchat_relay import light

from syncchat.core import journal, reader
from syncchat.core.message import Message
from syncchat.storage import absent, previews, rooms, snapshots
from syncchat.testing import Divergence, SimPeer, World, simpeer
from syncchat.testing.network import SimLink
from syncchat.testing.relay import SimRelay
from syncchat.wire import frames
from tests.support.devices import Device
from tests.support.little import Light, volumes_of
from tests.support.snapshots import eager

ENTRIES = 5
"""Entries of a volume."""

TEXTS = [f"text {number:02}" for number in range(40)]


@contextmanager
def made(*, relay: type[SimRelay] = SimRelay) -> Iterator[tuple[World, SimPeer, SimPeer]]:
    """Give a world in which Alice has written, and one who has come late and keeps little."""
    with ExitStack() as stack:
        stack.enter_context(eager(2))
        stack.enter_context(mock.patch.object(light, "STUBS_FROM_BYTES", 0))
        for module in (journal, reader):
            stack.enter_context(mock.patch.object(module, "VOLUME_ENTRIES_MAX", ENTRIES))
        world = stack.enter_context(World(seed=5, peers=2, relay=relay))
        for peer in world.peers:
            peer.watch = None
        alice = world.peers[0]
        for text in TEXTS:
            _do(world, alice, partial(alice.room.send, text))
        world.run(seconds=5)
        late = world.add_peer()
        late.do(lambda: late.room.keep_history("recent"))
        world.run(seconds=5)
        yield world, alice, late


def left_and_fetched() -> None:
    """Who comes late shows what is recent, and more when it is asked for, the newest first."""
    with made() as (world, alice, late):
        shown = _shown(late)
        _expect(shown[-1:], TEXTS[-1:], "the newest")
        _expect(late.room.has_older, True, "whether there is older history")
        _expect(len(shown) < len(TEXTS), True, "whether something was left at the relay")
        _expect_sound(late)
        _expect(len(_left(late)) > 3, True, "whether much was left")
        for _ in range(len(TEXTS)):
            before = _left(late)
            if not before:
                break
            _want_newest(late)
            world.run(seconds=2)
            _expect(_left(late), before[:-1], "what is left of the places")
            _expect_sound(late)
        _expect(_shown(late), TEXTS, "what is shown in the end")
        _expect(late.room.has_older, False, "whether there is more")
        _expect_agreement(world)
        _do(world, alice, lambda: alice.room.send("goes on"))
        _expect(_shown(late)[-1:], ["goes on"], "what comes after that")


def said_about_what_is_left() -> None:
    """What concerns a volume that was left is read all the same, and what follows is shown."""
    with made() as (world, alice, late):
        old = _find(alice, TEXTS[ENTRIES + 2])
        _do(world, alice, lambda: alice.room.delete(old.id))
        _do(world, alice, lambda: alice.room.send("goes on"))
        world.run(seconds=20)
        _expect(_shown(late)[-1:], ["goes on"], "what was written after that")
        _expect_sound(late)
        _expect(old.text in _shown(late), False, "whether what was deleted is shown")
        late.do(lambda: late.room.keep_history("all"))
        world.run(seconds=20)
        _expect(_shown(late), _shown(alice), "what is shown in the end")
        _expect_agreement(world)


def gone_meanwhile() -> None:
    """A newer snapshot that comes whole takes the place of what was left."""
    with made() as (world, alice, late):
        late.go_offline()
        old = _find(alice, TEXTS[ENTRIES + 2])
        _do(world, alice, lambda: alice.room.delete(old.id))
        world.run(seconds=5)
        with mock.patch.object(simpeer, "RECENT_ENVELOPES", 100):
            late.go_online()
            world.run(seconds=5)
        _do(world, alice, lambda: alice.room.send("goes on"))
        _expect(_shown(late)[-1:], ["goes on"], "what was written after that")
        waits = late.peer._db.rows("select waiting from chain where waiting is not null")
        _expect(waits, [], "what waits")
        _expect_sound(late)


def folded_anew() -> None:
    """A chain that ends with what was left at the relay goes on after it was folded anew."""
    ann = Device(1)
    log, (first, second) = volumes_of(ann, 2)
    late = Light(ann)
    late.tell((3, first), (6, second))
    late.peer.rebuild()
    ann.volume = 2
    last = ann.send("goes on")
    gaps = [(0, late.cursor + len(log), bytes(8))]
    late.receiver.apply(late.row, late.cursor, [last], is_live=False, gaps=gaps)
    _expect(late.texts(), ["goes on"], "what was written after that")


def waits_while_the_chain_goes_on() -> None:
    """What waited for contents is read as of its own place, though the chain is further."""
    with made() as (world, alice, late):
        late.go_offline()
        with mock.patch.object(snapshots, "LOOSE_CLOSED_MIN", 1000):
            for number in range(3 * ENTRIES):
                _do(world, alice, partial(alice.room.send, f"more {number}"))
        late.go_online()
        world.run(seconds=10)
        late.do(lambda: late.room.keep_history("all"))
        world.run(seconds=20)
        _expect(_shown(late), _shown(alice), "what is shown in the end")
        _expect_agreement(world)


def deleted_while_away() -> None:
    """A newer snapshot of what was left takes its place, also where only its stub comes."""
    with made() as (world, alice, late):
        late.go_offline()
        for number in (ENTRIES + 2, ENTRIES + 3):
            old = _find(alice, TEXTS[number])
            _do(world, alice, partial(alice.room.delete, old.id))
        for number in range(6):
            _do(world, alice, partial(alice.room.send, f"more {number}"))
        world.run(seconds=5)
        late.go_online()
        world.run(seconds=10)
        _expect(_shown(late)[-1:], ["more 5"], "what was written last")
        _expect_sound(late)
        late.do(lambda: late.room.keep_history("all"))
        world.run(seconds=20)
        _expect(_shown(late), _shown(alice), "what is shown in the end")
        _expect_agreement(world)


def wiped_relay() -> None:
    """Who keeps little gives back to a relay what is here, and claims nothing that is not."""
    with made() as (world, alice, late):
        bob = world.peers[1]
        alice.go_offline()
        bob.go_offline()
        world.run(seconds=1)
        world.lose_relay(world.relay.wipe)
        world.run(seconds=200)
        _expect(late.room.has_older, True, "whether it still lacks something")
        is_owed = rooms.owes_refill(late.peer._db, late.room._row)
        _expect(is_owed, True, "whether the relay is known to lack something, too")
        _expect_sound(late)
        bob.go_online()
        world.run(seconds=200)
        late.do(lambda: late.room.keep_history("all"))
        world.run(seconds=20)
        _expect(_shown(late), TEXTS, "what is shown with the help of others")
        alice.go_online()
        world.run(seconds=60)
        _expect_agreement(world)


def cut_off_while_fetching() -> None:
    """What was asked for comes after a crash, and after the connection was cut."""
    with made() as (world, _, late):
        late.do(lambda: late.room.keep_history("all"))
        for round_ in range(6):
            if late.link is not None and round_ % 2:
                late.link.cut()
            elif late.is_running:
                late.kill()
                late.start()
                late.go_online()
            world.run(seconds=0.3)
            if late.is_running:
                _expect_sound(late)
        world.run(seconds=30)
        _expect(_shown(late), TEXTS, "what is shown in the end")
        _expect_agreement(world)


class KeepsBack(SimRelay):
    """Is a relay that lies about old history until it is honest."""

    how = ""
    told = 0

    def lie(self, link: SimLink, raw: bytes) -> list[bytes]:
        """Return another frame about old history than the true one."""
        frame = frames.decode(raw)
        forged = None if frame is None else _forged(self.how, frame)
        self.told += forged is not None
        return [raw if forged is None else frames.encode(forged)]


LIES = ("other bytes", "nothing", "cut off")


def _forged(how: str, frame: frames.AnyFrame) -> frames.Frame | None:
    match frame, how:
        case frames.Contents(alias, place, envelope), "other bytes" if envelope:
            sealed = bytes(byte ^ 1 for byte in envelope[-90:-70])
            changed = envelope[:-90] + sealed + envelope[-70:]
            return frames.Contents(alias, place, changed)
        case frames.Contents(alias, place, _), "nothing":
            return frames.Contents(alias, place, b"")
        case frames.Contents(alias, place, envelope), "cut off":
            return frames.Contents(alias, place, envelope[:100])
        case frames.Stubs(alias, places, stubs), "stubs changed":
            return frames.Stubs(alias, places, [raw[:-1] + b"\0" for raw in stubs])
    return None


def lied_to() -> None:
    """A relay that gives something else for old history, or none, is not believed; what it keeps
    from somebody comes from an honest one."""
    for how in LIES:
        with made(relay=KeepsBack) as (world, _, late):
            liar = world.relay
            assert isinstance(liar, KeepsBack)
            liar.how = how
            for _ in range(4):
                _want_newest(late)
                world.run(seconds=3)
                _expect([text for text in _shown(late) if text not in TEXTS], [], "what is made up")
            _expect(liar.told > 0, True, f"whether it told the lie '{how}'")
            _expect(_shown(late) == TEXTS, False, f"whether all is shown with '{how}'")
            liar.how = ""
            late.do(partial(late.room.keep_history, "all"))
            world.run(seconds=90)
            _expect(_shown(late), TEXTS, f"what is shown after '{how}'")
            _expect_agreement(world)


def lied_to_with_stubs() -> None:
    """A stub that was changed moves no chain, and the hole that it leaves is named."""
    with made(relay=KeepsBack) as (world, _, _):
        liar = world.relay
        assert isinstance(liar, KeepsBack)
        liar.how = "stubs changed"
        late = world.add_peer()
        late.do(lambda: late.room.keep_history("recent"))
        world.run(seconds=60)
        _expect(liar.told > 0, True, "whether it told the lie")
        _expect(set(_shown(late)) <= set(TEXTS), True, "whether nothing is made up")
        named = [
            fault for fault in late.peer.check() if "does not match" in fault or "gap" in fault
        ]
        _expect(bool(named), True, "whether somebody is told")


def _want_newest(peer: SimPeer) -> None:
    def want() -> None:
        with peer.peer._db.atomic(durable=False):
            absent.want_newest(peer.peer._db, peer.room._row)

    peer.do(want)


def _left(peer: SimPeer) -> list[int]:
    """Return the places of what was left at the relay, in order."""
    return sorted(place for (place,) in peer.peer._db.rows("select place from absent"))


def _do(world: World, peer: SimPeer, deed: Callable[[], object]) -> None:
    peer.do(deed)
    world.run(seconds=1)


def _find(peer: SimPeer, text: str) -> Message:
    return next(message for message in peer.room.messages() if message.text == text)


def _shown(peer: SimPeer) -> list[str]:
    found = peer.room.messages(limit=100)
    return [message.text for message in found if not message.deleted]


def _expect_sound(peer: SimPeer) -> None:
    _expect(peer.peer.check(), [], f"what is wrong at {peer.name}")
    if not previews.all_previews(peer.peer._db, peer.room._row):
        before = peer.room.digest()
        peer.do(peer.peer.rebuild)
        _expect(peer.room.digest(), before, "what a view folded anew shows")
    frozen = peer.peer._db.rows("select frozen from chain where frozen is not null")
    _expect(frozen, [], f"what {peer.name} froze")


def _expect_agreement(world: World) -> None:
    for peer in world.living:
        _expect_sound(peer)
    _expect(len({peer.room.digest() for peer in world.living}), 1, "different digests")


def _expect(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise Divergence(f"{what}: {found!r}, not {expected!r}")
