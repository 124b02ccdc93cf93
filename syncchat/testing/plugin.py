"""A pytest plugin: the fixture ``syncchat_world``, and what is needed to replay a failure.

pytest loads it by itself where syncchat is installed (``pip install 'syncchat[testing]'``). Loading
it loads nothing else; the simulator and the CRDT library come with the first use of the fixture.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .report import ToldWorld

DEFAULT_SEED = 0
LINES_MAX = 200
"""How many of the last events of a world are told when its test fails."""

_WORLDS = pytest.StashKey["list[ToldWorld]"]()

MakeWorld = Callable[..., "ToldWorld"]
"""What the fixture is: call it with the arguments of ``World``; ``seed`` may be left away."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--syncchat-seed``."""
    parser.getgroup("syncchat").addoption(
        "--syncchat-seed",
        type=int,
        default=DEFAULT_SEED,
        metavar="N",
        help="Seed of the worlds that syncchat_world makes, where a test names none (0).",
    )


@pytest.fixture
def syncchat_world(request: pytest.FixtureRequest) -> Iterator[MakeWorld]:
    """Return a function that makes simulated worlds; they end with the test.

    ::

        def test_late_message_arrives(syncchat_world):
            world = syncchat_world(peers=2)
            alice, bob = world.peers
            bob.go_offline()
            world.write(bob, "written offline")
            world.heal()
            world.check()
    """
    from .report import ToldWorld

    worlds: list[ToldWorld] = []
    request.node.stash[_WORLDS] = worlds

    def make(**arguments: Any) -> ToldWorld:
        arguments.setdefault("seed", request.config.getoption("--syncchat-seed"))
        world = ToldWorld(**arguments)
        worlds.append(world)
        return world

    yield make
    for world in worlds:
        world.__exit__(None, None, None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of a failed test what happened in its worlds, and how to have it happen again."""
    report = yield
    if report.when == "call" and report.failed:
        for world in item.stash.get(_WORLDS, []):
            report.sections.append((f"syncchat world, seed {world.seed}", _told(item, world)))
    return report


def _told(item: pytest.Item, world: ToldWorld) -> str:
    """Return what happened in a world, for a person."""
    world.tell_rest()
    lines = world.diary[-LINES_MAX:]
    if len(world.diary) > len(lines):
        lines.insert(0, f"({len(world.diary) - len(lines)} earlier lines are left out)")
    lines.append(f"{world.loop.now_ms / 1000:9.3f} s  the test fails; at this moment:")
    lines += [f"  {words}" for words in world.states()]
    again = shlex.quote(item.nodeid)
    lines.append(f"again with: pytest {again} --syncchat-seed={world.seed}")
    return "\n".join(lines)
