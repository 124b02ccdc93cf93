"""A relay that lies: each lie ends harmless, or is detected and named.

``ENDS`` says how each lie ends; ``docs/explanation/lying-relay.md`` tells it to people, and a test
holds the two together.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncchat.core.message import Status
from syncchat.testing import World, random_schedule
from syncchat.testing.liar import LyingRelay
from syncchat.testing.lies import Lie
from syncchat.testing.ports import SeededRandom
from syncchat.testing.relay import URL
from syncchat.testing.schedule import ALL_FAULTS, Fault, perform

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "lying-relay.md"
HEALED_WITHIN_MS = 72_000
"""How long a world may take to settle once its relay is honest: 40 s until a silent connection is
given up, the longest back-off of 30 s, and the step in which that is looked at."""


@dataclass(frozen=True)
class End:
    """Is how a lie ends for the peer that it is told to.

    ``problems`` are the reasons that the connection gives, ``found`` what ``Peer.check`` says
    while the lie lasts; any of each must be met, and of none there must be none. ``sees_all`` is
    whether the peer, in spite of the lie, comes to show what the others show.
    """

    problems: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    sees_all: bool = True
    is_heard: bool = True


NOT_ALL = "says that all was delivered, but it was not"
ASK_AGAIN = "delivered envelopes that do not hold; asking for them again"
NOT_ITS_LOG = "what was delivered is not what the relay has"
OUT_OF_PLACE = "a frame out of place: "
OWES = "is there, but owes"
SIGNATURE = "the signature does not match the device key"

ENDS: dict[Lie, End] = {
    Lie.OMIT: End((ASK_AGAIN, NOT_ALL, "the relay's log goes from")),
    Lie.SKIP: End((NOT_ALL, "the relay's log goes from")),
    Lie.GAP: End((ASK_AGAIN, NOT_ITS_LOG)),
    Lie.SHUFFLE: End((ASK_AGAIN,)),
    Lie.SWAP: End((NOT_ALL,), sees_all=False),
    Lie.REPEAT: End(("the relay's log goes from",)),
    Lie.REPEAT_ACK: End((OUT_OF_PLACE + "an Ack of no Push",)),
    Lie.ACK_AHEAD: End((NOT_ALL,), sees_all=False),
    Lie.SWAP_ROOMS: End((ASK_AGAIN,), ("was set aside: gap",), sees_all=False),
    Lie.ONE_ALIAS: End((OUT_OF_PLACE + "an Opened with one alias",), (), False, False),
    Lie.INVENT_JUNK: End((ASK_AGAIN,), ("was set aside: not an envelope",)),
    Lie.INVENT_SIGNATURE: End((ASK_AGAIN,), (SIGNATURE,)),
    Lie.INVENT_BODY: End((ASK_AGAIN,), (SIGNATURE,), sees_all=False),
    Lie.INVENT_DEVICE: End((NOT_ITS_LOG,), ("its device is not let in", "two different envelopes")),
    Lie.OWN_TOO_HIGH: End((NOT_ALL, OWES), is_heard=False),
    Lie.OWN_TOO_LOW: End((OWES,)),
    Lie.HEAD_WRONG: End((OWES, NOT_ALL)),
    Lie.AFTER_WRONG: End((OWES, NOT_ALL)),
    Lie.NOTHING_NEW: End(),
    Lie.LIVE_WRONG: End((NOT_ALL,)),
    Lie.DELIVERED: End(),
    Lie.FALSE_RECENT: End(),
    Lie.OLD_HELLO: End(("the signature does not hold",), sees_all=False, is_heard=False),
    Lie.BAD_FRAMES: End(("sent what is no frame",)),
    Lie.FLOOD: End(),
    Lie.SILENCE: End(("did not answer the greeting in time",), sees_all=False, is_heard=False),
    Lie.NO_OPENED: End((OWES + " the opening of a room",), sees_all=False, is_heard=False),
    Lie.NO_ACKS: End((OWES + " an answer", "the relay's log goes from")),
    Lie.STALL: End((OWES + " the rest of a room's log",), sees_all=False),
    Lie.ACK_UNSTORED: End(is_heard=False),
    Lie.FALSE_FORBIDDEN: End(
        ("does not let this device write here",), ("write here",), True, False
    ),
    Lie.FALSE_CONFLICT: End(("another copy of this database",), ("another copy",), True, False),
    Lie.FALSE_BAD: End(("found the envelope invalid",), ("envelope invalid",), True, False),
    Lie.FALSE_GAP: End(("says that it lacks what it has",), is_heard=False),
    Lie.FALSE_CHAINS: End(),
    Lie.ENDLESS_CHAINS: End((OUT_OF_PLACE + "Chains without an end",), is_heard=False),
    Lie.CHANGE_CHUNKS: End(),
    Lie.SWAP_CHUNKS: End(),
    Lie.DENY_CHUNKS: End(),
    Lie.IGNORE_FILES: End(),
    Lie.DROP_CHUNKS: End(),
    Lie.FALSE_FULL: End(),
    Lie.WITHHOLD: End(sees_all=False),
    Lie.HIDE: End(is_heard=False),
    Lie.FORK: End(sees_all=False, is_heard=False),
    Lie.ROLL_BACK: End(sees_all=False, is_heard=False),
}


class LiarsWorld(World):
    """Is a world of three whose relay can lie, with a second room."""

    def __init__(self, *, seed: int = 1, peers: int = 3) -> None:
        super().__init__(seed=seed, peers=peers, relay=LyingRelay)
        first, *others = self.peers
        second = first.do(lambda: first.peer.create_room("second", relay=URL))
        link = first.do(lambda: second.invite(uses=0))
        for other in others:
            other.do(lambda other=other: other.peer.join(link))  # type: ignore[misc]
        self.run(seconds=2)  # until everybody has come in

    def close(self) -> None:
        """End every peer."""
        self.__exit__(None, None, None)

    @property
    def liar(self) -> LyingRelay:
        """Return the relay."""
        assert isinstance(self.relay, LyingRelay)
        return self.relay

    def chat(self, rounds: int, *, gap: float = 1.0) -> None:
        """Have everyone write something now and then, in both rooms, and send a file."""
        for number in range(rounds):
            for peer in self.peers:
                self.write(peer, f"round {number}")
                self.parcels.attach(peer, f"file of round {number}", size=100)
                self.run(seconds=gap)
        for peer in self.peers:
            peer.do(lambda peer=peer: peer.peer.rooms()[1].send("aside"))  # type: ignore[misc]

    def is_alike(self) -> bool:
        """Tell whether everyone shows the same in the second room."""
        both = [peer.peer.rooms() for peer in self.living if peer.is_running]
        return len({rooms[1].digest() for rooms in both if len(rooms) > 1}) == 1

    def be_honest(self) -> None:
        """End all lies; everyone tries again what was refused; then all must be as it should."""
        self.liar.be_honest()
        for peer in self.living:
            self.retry(peer)
            if peer.room.standing == "refused":  # a newcomer, who opens the link once more
                peer.do(lambda peer=peer: peer.peer.join(self._link))  # type: ignore[misc]
        start = self.loop.now_ms
        self.heal()
        while not self.is_alike():
            self.run(seconds=1)
            assert self.loop.now_ms - start < HEALED_WITHIN_MS, "the second room differs"
        assert self.loop.now_ms - start < HEALED_WITHIN_MS
        self.check()


@pytest.fixture
def world() -> Iterator[LiarsWorld]:
    with closing(LiarsWorld()) as world:
        world.run(seconds=1)
        yield world


def told(world: LiarsWorld, lie: Lie) -> tuple[list[str], list[str]]:
    """Play a scene in which Bob is told a lie; return the problems and faults that he names.

    While it lasts nobody shows anything wrong, or loses what he wrote himself.
    """
    alice, bob, _ = world.peers
    world.chat(2)
    if lie in (Lie.ENDLESS_CHAINS, Lie.FALSE_CHAINS):
        world.lose_relay(world.relay.wipe)  # or nobody would ask for chains
    bob.go_offline()
    world.chat(2)
    bob.problems.clear()
    world.liar.tell(lie, to=[bob], about=[alice] if lie is Lie.WITHHOLD else [])
    bob.go_online()
    for number in range(6):
        world.chat(1, gap=1.3)
        for peer in world.peers:
            world.check_safety(peer)
        if number == 3 and bob.link is not None:
            bob.link.cut()
    for _ in range(2):
        world.run(seconds=100)
        if bob.link is not None:
            bob.link.cut()  # and come back when nobody has written anything
    for peer in world.peers:
        world.check_safety(peer)
    assert world.liar.told[lie], "nobody was told this lie"
    return bob.problems, bob.peer.check()


@pytest.mark.parametrize("lie", list(Lie), ids=str)
def test_lie_ends_as_the_page_says_and_leaves_nothing_behind(world: LiarsWorld, lie: Lie) -> None:
    end = ENDS[lie]
    problems, found = told(world, lie)
    for texts, said in ((end.problems, problems), (end.found, found)):
        if texts:
            assert any(text in each for each in said for text in texts), said
        else:
            assert said == []
    _, bob, carol = world.peers
    missing = {m.id for m in world.shown(carol)} - {m.id for m in world.shown(bob)}
    unheard = {m.id for m in world.shown(bob)} - {m.id for m in world.shown(carol)}
    assert (not missing, not unheard) == (end.sees_all, end.is_heard)
    world.be_honest()


def test_page_about_lies_says_of_each_lie_what_the_code_does() -> None:
    rows = re.findall(
        r"^\| ([a-z ]+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", PAGE.read_text("utf-8"), re.M
    )
    said = {lie: (problem.strip(), found.strip()) for lie, problem, found in rows if lie != "lie"}
    assert list(said) == [str(lie) for lie in Lie]
    for lie, end in ENDS.items():
        assert said[str(lie)] == (" · ".join(end.problems) or "—", " · ".join(end.found) or "—")


# What cannot be noticed while it lasts


def test_false_word_of_delivery_is_believed_and_nothing_else_follows_from_it(
    world: LiarsWorld,
) -> None:
    alice, bob, carol = world.peers
    for other in (bob, carol):
        other.go_offline()
    world.run(seconds=1)
    world.liar.tell(Lie.DELIVERED, to=[alice])
    world.write(alice, "nobody has this yet")
    world.run(seconds=5)
    (message,) = world.shown(alice)
    assert message.status is Status.DELIVERED
    assert message.read_by == ()
    world.be_honest()


def test_hidden_message_counts_as_sent_until_an_honest_relay_says_otherwise(
    world: LiarsWorld, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob, _ = world.peers
    world.liar.tell(Lie.HIDE, to=[alice])
    world.run(seconds=5)
    world.write(alice, "for nobody")
    world.run(seconds=60)
    assert [message.status for message in world.shown(alice)] == [Status.SENT]
    assert world.shown(bob) == []
    with caplog.at_level(logging.INFO, "syncchat.exchange"):
        world.be_honest()
    assert any("has lost 1 envelopes that it acknowledged" in text for text in caplog.messages)
    assert len(world.shown(bob)) == 1


def test_fork_is_noticed_by_both_sides_when_it_ends(
    world: LiarsWorld, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob, carol = world.peers
    world.chat(1)
    world.liar.tell(Lie.FORK, to=[alice])
    world.run(seconds=5)
    world.chat(3)
    assert not {m.id for m in world.shown(alice) if m.mine} & {m.id for m in world.shown(carol)} - {
        m.id for m in world.shown(alice)
    }
    assert world.shown(alice) != world.shown(bob)
    with caplog.at_level(logging.INFO, "syncchat.exchange"):
        world.be_honest()
    assert any("not the one that was read" in text for text in caplog.messages)
    assert [m.id for m in world.shown(alice)] == [m.id for m in world.shown(carol)]


# Many lies, many faults


def _play(seed: int, *, peers: int, steps: int) -> None:
    """Play a random schedule with random lies; safety holds, and afterwards all is well.

    Backups are not restored: a device that forgets what it wrote, while the relay denies that it
    has it, writes a second history, which the threat model leaves to the person.
    """
    random = SeededRandom(f"lies {seed}")
    faults = [fault for fault in ALL_FAULTS if fault is not Fault.BACKUP]
    schedule = random_schedule(seed, peers=peers, steps=steps, faults=faults)
    lies = list(Lie)
    with closing(LiarsWorld(seed=seed, peers=peers)) as world:
        for number, step in enumerate(schedule.steps):
            if random.chance(0.15):
                running = [peer for peer in world.peers if peer.is_running]
                some = [peer for peer in running if random.chance(0.5)] or running[:1]
                lie = lies[random.below(len(lies))]
                world.liar.tell(lie, to=some, about=running[:1])
                world.has_forgotten |= lie is Lie.DELIVERED  # it may be false, and not be judged
            if random.chance(0.05):
                world.liar.be_honest()
            perform(world, step)
            if number % 4 == 0:
                world.check_safety(world.peers[step.peer % peers])
        for peer in world.living:
            peer.disk.is_full, peer.disk.crash_in = False, None
            peer.start()
        world.be_honest()


@pytest.mark.parametrize("seed", range(40))
def test_random_lies_and_faults_do_no_lasting_harm(seed: int) -> None:
    _play(seed, peers=3, steps=30)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_many_random_lies_and_faults_do_no_lasting_harm(part: int) -> None:
    for seed in range(1_000 + part * 25, 1_000 + part * 25 + 25):
        _play(seed, peers=4, steps=60)
