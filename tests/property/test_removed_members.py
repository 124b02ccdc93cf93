"""Laws of who is out, whatever hypothesis has people, thieves and helping relays do.

After a removal or a revocation nothing that they push is taken by the relay, nothing that a relay
puts into its log for them counts on any peer, and no body that was sealed since opens with what
they have; looked at after every step. Random lives of the same kind, by seed and many more of
them, are in ``test_group_life``.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support import group_oracle
from tests.support.group_deeds import DEEDS, Deed, remove, write
from tests.support.group_hostiles import HOSTILE_DEEDS, THIEVES_DEEDS
from tests.support.group_lives import GroupLife, Traits
from tests.support.group_villains import VILLAINS_DEEDS

pytestmark = pytest.mark.timeout(900)

WHO = st.integers(0, 8)
PAUSES = st.sampled_from((0.0, 0.05, 0.4, 2.0))
TRAITS = st.builds(
    Traits,
    is_from_join=st.booleans(),
    is_out_of_time=st.booleans(),
    has_villains=st.just(True),
    has_hostiles=st.just(True),
    has_thieves=st.just(True),
)


class RemovalMachine(RuleBasedStateMachine):
    """Is a life of a group in which hypothesis chooses who does what, and when."""

    life: GroupLife
    is_broken = False

    @initialize(seed=st.integers(0, 2**32 - 1), traits=TRAITS)
    def begin(self, seed: int, traits: Traits) -> None:
        self.life = GroupLife(seed, 4, traits)

    @rule(deed=st.sampled_from(DEEDS), who=WHO, pause=PAUSES)
    def live(self, deed: Deed, who: int, pause: float) -> None:
        self.step(deed, who, pause)

    @rule(deed=st.sampled_from(HOSTILE_DEEDS + THIEVES_DEEDS), who=WHO, pause=PAUSES)
    def be_hostile(self, deed: Deed, who: int, pause: float) -> None:
        self.step(deed, who, pause)

    @rule(who=WHO, pause=PAUSES)
    def put_somebody_out(self, who: int, pause: float) -> None:
        self.step(remove, who, pause)

    @precondition(lambda self: self.life.absent())
    @rule(deed=st.sampled_from(VILLAINS_DEEDS), who=WHO, pause=PAUSES)
    def come_back(self, deed: Deed, who: int, pause: float) -> None:
        """Have somebody who is out not take it, and others write on."""
        out = self.life.absent()
        self.step(deed, self.life.devices.index(out[who % len(out)]), pause)
        inside = self.life.present()
        if inside:
            self.step(write, self.life.devices.index(inside[who % len(inside)]), 0.4)

    @rule()
    def meet(self) -> None:
        """Have everybody be online until all is settled."""
        self.guarded(self.life.heal)
        self.guarded(self.life.check)

    @invariant()
    def who_is_out_has_nothing_new(self) -> None:
        self.guarded(lambda: group_oracle.check_outsiders(self.life))

    def teardown(self) -> None:
        if hasattr(self, "life"):
            try:
                if not self.is_broken:
                    self.meet()
            finally:
                self.life.world.__exit__(None, None, None)

    # Inside

    def step(self, deed: Deed, who: int, pause: float) -> None:
        device = self.life.devices[who % len(self.life.devices)]
        self.guarded(lambda: self.life.step(deed, device, pause))
        note(self.life.deeds[-1] if self.life.deeds else "nothing")

    def guarded(self, act: Callable[[], None]) -> None:
        """Do something; what fails in it is not looked at again in the end."""
        self.is_broken = True
        act()
        self.is_broken = False


TestRemovedMembers = RemovalMachine.TestCase
TestRemovedMembers.settings = settings(
    max_examples=max(12, settings().max_examples // 4),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # to make one smaller takes too long
    suppress_health_check=[HealthCheck.too_slow],
)
