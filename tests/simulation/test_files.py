"""Files in a simulated world: each scenario passes, and what lies and crashes leave of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from syncchat.core.files import FileState
from syncchat.testing import World
from syncchat.testing.liar import LyingRelay
from syncchat.testing.lies import Lie
from syncchat.trust import files

from . import scenarios_of_files as scenarios
from .scenarios_of_files import CHUNK, state_of


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(files, "CHUNK_BYTES", CHUNK)
    yield


@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.given_other_bytes,
        scenarios.comes_by_itself,
        scenarios.deleted_for_everyone,
        scenarios.freed_before_it_was_sent,
        scenarios.wiped_before_somebody_fetched,
        scenarios.dropped_by_the_relay,
    ],
    ids=lambda scenario: scenario.__name__,
)
def test_scenario_passes(scenario: Callable[[], None]) -> None:
    scenario()


@pytest.mark.parametrize(
    ("lie", "state", "reason"),
    [
        (Lie.CHANGE_CHUNKS, FileState.FETCHING, "other bytes than those that were sent"),
        (Lie.DENY_CHUNKS, FileState.FETCHING, "has not sent all of it yet"),
        (Lie.IGNORE_FILES, FileState.FETCHING, "does not answer about files"),
    ],
)
def test_lie_about_a_download_is_told_of_the_file_and_ends_no_connection(
    lie: Lie, state: FileState, reason: str
) -> None:
    with World(seed=3, peers=2, relay=LyingRelay) as world:
        alice, bob = world.peers
        assert isinstance(world.relay, LyingRelay)
        world.run(seconds=1)
        world.relay.tell(lie, to=[bob])
        world.parcels.attach(alice, "a file", size=900)
        world.run(seconds=80)
        world.write(alice, "words are another matter")
        world.run(seconds=3)
        (file,) = bob.room.files()
        assert (file.state, reason in file.reason) == (state, True)
        assert world.relay.told[lie]
        assert bob.problems == []
        assert len(world.shown(bob)) == 2


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (Lie.FALSE_FULL, "keeps no more files for this room"),
        (Lie.IGNORE_FILES, "does not answer about files"),
    ],
)
def test_lie_about_an_upload_is_told_of_the_file_and_ends_no_connection(
    lie: Lie, reason: str
) -> None:
    with World(seed=3, peers=2, relay=LyingRelay) as world:
        alice, bob = world.peers
        assert isinstance(world.relay, LyingRelay)
        world.run(seconds=1)
        world.relay.tell(lie, to=[alice])
        world.parcels.attach(alice, "a file", size=900)
        world.run(seconds=80)
        (file,) = alice.room.files()
        assert reason in file.reason
        assert alice.problems == []
        assert len(world.shown(bob)) == 1
        world.relay.be_honest()
        world.heal()
        world.check()
        assert state_of(bob) is FileState.HERE


@pytest.mark.parametrize("pick", range(8))
def test_power_cut_in_the_middle_of_a_download_costs_at_most_what_was_not_on_the_disk(
    pick: int,
) -> None:
    with World(seed=pick, peers=2) as world:
        alice, bob = world.peers
        world.run(seconds=1)
        world.parcels.attach(alice, "a file", size=20_000)
        while not bob.room.files() or not bob.room.files()[0].done:
            world.run(seconds=0.02)
        world.cut_power(bob, pick * 37 + 1)
        world.run(seconds=1)
        bob.start()
        world.heal()
        world.check()
        file = bob.room.files()[0]
        world.parcels.fetch(bob, file)  # whoever opens it notices what is missing
        world.heal()
        assert bob.room.open_file(file.message).read() == alice.room.open_file(file.message).read()


@pytest.mark.parametrize("commits", range(6))
def test_crash_around_attaching_leaves_the_whole_message_or_nothing(commits: int) -> None:
    for is_committed in (False, True):
        with World(seed=commits, peers=2) as world:
            alice, _ = world.peers
            world.run(seconds=1)
            alice.disk.crash_in, alice.disk.crash_committed = commits, is_committed
            world.parcels.attach(alice, "a file", size=900)
            world.run(seconds=5)
            alice.start()
            world.heal()
            world.check()
            packs = len(alice.peer._db.packs.names())
            assert packs == len(alice.room.files()) == len(world.shown(alice))


def test_device_of_an_old_backup_keeps_the_files_that_it_sent_since() -> None:
    with World(seed=5, peers=2) as world:
        alice, bob = world.peers
        world.run(seconds=1)
        world.back_up(alice)
        bob.go_offline()
        world.parcels.attach(alice, "a file", size=900)
        world.run(seconds=5)
        for name in list(world.relay.blobs._kept):
            del world.relay.blobs._kept[name]  # so the bytes are on Alice's disk alone
        assert world.restore(alice)
        world.run(seconds=10)
        world.heal()
        world.check()
        assert state_of(alice) is state_of(bob) is FileState.HERE
