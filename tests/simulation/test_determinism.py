"""The same seed gives the same run to the byte: every frame, every commit, at the same time."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from syncchat.testing import World, random_schedule
from syncchat.testing.playing import Outcome, play

from .support import NotingWorld, fingerprints

SEEDS = range(8)
ROOT = Path(__file__).parents[2]


def _played(seed: int) -> Outcome:
    return play(random_schedule(seed), make_world=NotingWorld)


@pytest.mark.parametrize("seed", [0, 3])
def test_same_seed_gives_the_same_frames_and_commits(seed: int) -> None:
    one, other = _played(seed), _played(seed)
    assert not one.failure
    assert one.fingerprint == other.fingerprint
    assert (one.events, one.crashes) == (other.events, other.crashes)


def test_other_seed_gives_another_run() -> None:
    assert _played(0).fingerprint != _played(1).fingerprint


def test_fingerprint_counts_frames_and_commits() -> None:
    with NotingWorld(seed=1, peers=2) as world, World(seed=1, peers=2) as frames_only:
        for each in (world, frames_only):
            each.peers[0].go_offline()
            each.run(seconds=1)
        before = world.loop.fingerprint(), frames_only.loop.fingerprint()
        world.write(world.peers[0], "a commit here, no frame yet")
        frames_only.write(frames_only.peers[0], "a commit here, no frame yet")
        assert world.loop.fingerprint() != before[0]
        assert frames_only.loop.fingerprint() == before[1]
        frames_only.peers[0].go_online()
        frames_only.run(seconds=1)
        assert frames_only.loop.fingerprint() != before[1]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("hash_seed", ["1", "4711"])
def test_run_does_not_depend_on_the_process_or_on_hashes(hash_seed: int) -> None:
    command = f"from tests.simulation.support import fingerprints; fingerprints({list(SEEDS)})"
    done = subprocess.run(
        [sys.executable, "-c", command],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    here: list[str] = []
    fingerprints(SEEDS, show=partial(_keep, here))
    assert done.stdout.split() == here


def _keep(kept: list[str], shown: str) -> None:
    kept.append(shown)
