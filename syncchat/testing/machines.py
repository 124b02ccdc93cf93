"""A hypothesis state machine over a simulated world, to subclass and add rules to.

::

    class Polls(WorldMachine):
        @rule(peer=peer_numbers(), choice=st.sampled_from(["tea", "coffee"]))
        def vote(self, peer, choice):
            voter = running(self.world, peer)
            if voter is not None:
                self.world.write(voter, choice, metadata={"vote": choice})

        def check_healed(self):
            self.world.check_view(poll)

    TestPolls = Polls.TestCase

Hypothesis looks for a sequence of rules after which a check fails, and makes it short. While rules
run, every peer must show what it must show even under faults; at the end all is healed, and every
peer must show what everybody wrote.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .knobs import scaled_down
from .relay import SimRelay
from .strategies import (
    Delete,
    Edit,
    MarkUnread,
    React,
    Read,
    Write,
    deletions,
    edits,
    peer_numbers,
    reactions,
    reads,
    running,
    unread_marks,
    writes,
)
from .world import World

DEED_SECONDS = 0.05
"""Virtual time that a rule takes: frames of one connection need as long."""


class WorldMachine(RuleBasedStateMachine):
    """Drives a world by rules; ``peers`` and ``relay`` say what world.

    Subclasses add rules, and override ``check_healed`` to check more. A rule that makes no sense
    at the moment must do nothing.
    """

    peers: ClassVar[int] = 3
    relay: ClassVar[type[SimRelay]] = SimRelay

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._world: World | None = None
        self._is_unsafe = False

    @property
    def world(self) -> World:
        """Return the world."""
        assert self._world is not None, "no rule has run yet"
        return self._world

    def check_healed(self) -> None:
        """Check more, when all is healed and every peer shows what everybody wrote."""

    @initialize(seed=st.integers(0, 2**32 - 1))
    def begin(self, seed: int) -> None:
        """Make the world; the seed also turns some of the engine's limits down."""
        self._stack.enter_context(scaled_down(seed))
        made = World(seed=seed, peers=self.peers, relay=self.relay)
        self._world = self._stack.enter_context(made)

    # What people do

    @rule(deed=writes())
    def write(self, deed: Write) -> None:
        deed.do(self.world)
        self._pass_time()

    @rule(deed=edits())
    def edit(self, deed: Edit) -> None:
        deed.do(self.world)
        self._pass_time()

    @rule(deed=deletions())
    def delete(self, deed: Delete) -> None:
        deed.do(self.world)
        self._pass_time()

    @rule(deed=reactions())
    def react(self, deed: React) -> None:
        deed.do(self.world)
        self._pass_time()

    @rule(deed=reads())
    def read(self, deed: Read) -> None:
        deed.do(self.world)
        self._pass_time()

    @rule(deed=unread_marks())
    def mark_unread(self, deed: MarkUnread) -> None:
        deed.do(self.world)
        self._pass_time()

    @rule(seconds=st.sampled_from([0.02, 0.5, 5, 60]))
    def wait(self, seconds: float) -> None:
        self.world.run(seconds=seconds)

    # What goes wrong

    @rule(peer=peer_numbers())
    def go_offline(self, peer: int) -> None:
        self.world.peers[peer % self.peers].go_offline()

    @rule(peer=peer_numbers())
    def go_online(self, peer: int) -> None:
        self.world.peers[peer % self.peers].go_online()

    @rule(peer=peer_numbers(), at_commit=st.none() | st.integers(0, 5), committed=st.booleans())
    def kill(self, peer: int, at_commit: int | None, committed: bool) -> None:
        """Kill a process, now or at a commit to come, just before or just after it."""
        machine = self.world.peers[peer % self.peers]
        if at_commit is not None:
            machine.disk.crash_in, machine.disk.crash_committed = at_commit, committed
        elif machine.is_running:
            machine.kill()
        self._pass_time()

    @rule(peer=peer_numbers())
    def start(self, peer: int) -> None:
        self.world.peers[peer % self.peers].start()

    @rule(peer=peer_numbers(), pick=st.integers(0, 40))
    def cut_power(self, peer: int, pick: int) -> None:
        machine = running(self.world, peer)
        if machine is not None:
            self.world.cut_power(machine, pick)

    @rule(peer=peer_numbers())
    def partition(self, peer: int) -> None:
        """Keep a peer from reaching the relay, or let it reach it again."""
        machine = self.world.peers[peer % self.peers]
        machine.can_reach_relay = not machine.can_reach_relay
        if not machine.can_reach_relay and machine.link is not None:
            machine.link.cut()

    @rule(peer=peer_numbers())
    def silence(self, peer: int) -> None:
        """Make a connection half open."""
        link = self.world.peers[peer % self.peers].link
        if link is not None:
            link.is_half_open = True

    @rule()
    def kill_relay(self) -> None:
        self.world.relay.kill()
        self._pass_time()

    @rule()
    def start_relay(self) -> None:
        self.world.relay.start()

    @rule()
    def wipe_relay(self) -> None:
        self.world.lose_relay(self.world.relay.wipe)

    # What must hold

    @invariant()
    def everyone_is_safe(self) -> None:
        """See that no peer shows what it must never show."""
        try:
            for peer in self.world.peers:
                self.world.check_safety(peer)
        except BaseException:
            self._is_unsafe = True  # so that the end does not fail in its place
            raise

    def teardown(self) -> None:
        """Heal the world and check it, unless it has failed already."""
        with self._stack:
            if self._world is not None and not self._is_unsafe:
                self.world.heal()
                self.world.check()
                self.check_healed()

    def _pass_time(self) -> None:
        self.world.run(seconds=DEED_SECONDS)
