"""Devices linked by a code that a person types, over real relays: what works, and what must not."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import syncchat_relay
from syncchat_relay import Admit, Config

import syncchat
from syncchat.errors import InviteError, NotAllowedError, NotFoundError, ValidationError
from syncchat.exchange import duties
from syncchat.ids import base32_from_int, int_from_base32
from syncchat.ports import SystemClock
from syncchat.transport.base import Transport
from syncchat.transport.websocket import connect_websocket
from syncchat.trust.linking import code_seed, read_code
from tests.support.keys import make_guessing_cheap

from .programs import RelayProgram, contents, json_lines, relay_in, running
from .programs import syncchat as run
from .support import all_online, until

pytestmark = pytest.mark.timeout(180)

EMOJI = r"\n\n  (\S+ .*)\n"
ASKED = EMOJI + r"\n.*\[y/N\]"
CODE = r"(?m)^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}$"
LOCAL = Config(admission=Admit.ROOMS)
LATE_MS = 16 * 60 * 1000


class LateClock(SystemClock):
    """Is some minutes behind."""

    def now_ms(self) -> int:
        return super().now_ms() - LATE_MS


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProgram]:
    with relay_in(tmp_path / "relay") as relay:
        yield relay


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make codes of this process fast; those of commands stay as they are."""
    make_guessing_cheap(monkeypatch)


@pytest.fixture
async def at(cheap: None) -> AsyncIterator[str]:
    async with syncchat_relay.serve(LOCAL) as here:
        yield here.url


def _home(folder: Path, name: str, relay: str, **more: object) -> syncchat.Peer:
    peer = syncchat.open(folder / f"{name}.db", name=name.title(), **more)  # type: ignore[arg-type]
    peer.devices.set_home(relay)
    return peer


async def _asked(old: syncchat.Peer, new: syncchat.Peer, relay: str) -> str:
    """Have a new device ask by a code; return that when both sides have emoji to show."""
    code = old.devices.code()
    await old.room(old.devices.home_room or b"").synced()
    await new.devices.ask_by_code(code.lower(), relay)
    await until(lambda: any(each.emoji for each in old.devices.asking()))
    await until(lambda: bool(new.devices.own_emoji()))
    return code


# At the terminal


def _alice(folder: Path, relay: RelayProgram) -> Path:
    alice = folder / "alice.db"
    run("init", "--name", "Alice", "--skip-recovery", "--db", alice)
    run("create", "Team", "--relay", relay.url, "--db", alice)
    run("send", "Team", "before the laptop", "--db", alice)
    run("sync", "--db", alice)
    return alice


def test_laptop_is_linked_by_a_code_when_both_sides_say_yes(
    relay: RelayProgram, tmp_path: Path
) -> None:
    alice, laptop = _alice(tmp_path, relay), tmp_path / "laptop.db"
    with running("device", "link", "--code", "--db", alice) as old:
        (code,) = re.findall(CODE, old.wait_for(CODE))
        assert f"syncchat device join {code} --relay {relay.url}" in old.wait_for("--relay")
        typed = code.replace("-", " ").lower()
        with running("device", "join", typed, "--relay", relay.url, "--db", laptop) as new:
            there = re.findall(EMOJI, new.wait_for(ASKED))[0]
            here = re.findall(EMOJI, old.wait_for(ASKED))[0]
            assert here == there and len(here.split("   ")) == 7
            old.write("y\n")
            old.ends(code=0)
            assert _rooms(laptop) == []  # it is nobody's before it was compared there as well
            new.write("y\n")
            assert "Team" in new.ends(code=0)
    assert contents(laptop) == [("Alice", "before the laptop")]
    assert len(json_lines(run("device", "list", "--json", "--db", laptop))) == 2
    run("device", "join", code, "--relay", relay.url, "--db", tmp_path / "third.db", code=3)


def test_code_and_its_relay_are_printed_as_json(relay: RelayProgram, tmp_path: Path) -> None:
    alice = _alice(tmp_path, relay)
    with running("device", "link", "--code", "--json", "--timeout", "0", "--db", alice) as old:
        (told,) = re.findall(r"^\{.*\}", old.ends(code=5), flags=re.MULTILINE)
    (row,) = json_lines(told)
    assert row["relay"] == relay.url and read_code(row["code"])


@pytest.mark.parametrize("who", ["old", "new"])
def test_who_says_no_on_either_side_links_nothing(
    relay: RelayProgram, tmp_path: Path, who: str
) -> None:
    alice, laptop = _alice(tmp_path, relay), tmp_path / "laptop.db"
    with running("device", "link", "--code", "--db", alice) as old:
        (code,) = re.findall(CODE, old.wait_for(CODE))
        join = ("device", "join", code, "--relay", relay.url, "--timeout", "3", "--db", laptop)
        with running(*join) as new:
            new.wait_for(ASKED)
            old.wait_for(ASKED)
            answers = {"old": ("n\n", "y\n"), "new": ("y\n", "n\n")}[who]
            old.write(answers[0])
            old.ends(code=4 if who == "old" else 0)
            new.write(answers[1])
            new.ends(code=5 if who == "old" else 4)
    assert _rooms(laptop) == []
    if who == "old":
        assert len(json_lines(run("device", "list", "--json", "--db", alice))) == 1
    else:
        run("sync", "--db", laptop, code=4)
        assert _rooms(laptop) == []
        run(*join, code=2)


def test_what_is_typed_wrong_is_told_and_makes_no_database(
    relay: RelayProgram, tmp_path: Path
) -> None:
    new = tmp_path / "new.db"
    options = ("--relay", relay.url, "--db", new)
    with running("device", "join", "7K3Q-MX9T-BR22", *options) as joining:
        assert "mistyped" in joining.ends(code=2)
    with running("device", "join", "7K3Q-MX9T", *options) as joining:
        assert "12 characters, this has 8" in joining.ends(code=2)
    with running("device", "join", "7K3Q-MX9T-BR21", "--db", new) as joining:
        assert "--relay" in joining.ends(code=2)
    run("device", "join", "7K3Q-MX9T-BR21", "--relay", "nowhere", "--db", new, code=2)
    assert not new.exists()
    with running("device", "join", "7K3Q-MX9T-BR21", *options) as joining:
        assert "no device waits with this code" in joining.ends(code=3)


# Through the API


async def test_code_that_is_wrong_used_or_expired_leads_nowhere(at: str, tmp_path: Path) -> None:
    with (
        _home(tmp_path, "alice", at) as alice,
        _home(tmp_path, "late", at, clock=LateClock()) as late,
        syncchat.open(tmp_path / "new.db") as new,
        syncchat.open(tmp_path / "other.db") as other,
    ):
        async with all_online([alice, late, new]):
            expired = late.devices.code()
            await late.room(late.devices.home_room or b"").synced()
            with pytest.raises(NotFoundError, match="older than 15 minutes"):
                await other.devices.ask_by_code(expired, at)
            used = await _asked(alice, new, at)
            with pytest.raises(NotFoundError, match="was used"):
                await other.devices.ask_by_code(used, at)
            with pytest.raises(NotFoundError):
                await other.devices.ask_by_code("7K3Q-MX9T-BR21", at)
            with pytest.raises(InviteError):
                await other.devices.ask_by_code(_mistyped(used), at)
            await new.devices.ask_by_code(used, at)  # goes on
            with pytest.raises(ValidationError, match="somebody's already"):
                await new.devices.ask_by_code("7K3Q-MX9T-BR21", at)
        assert other.devices.home_room is None


@pytest.mark.parametrize("first", ["old", "new"])
async def test_device_becomes_the_person_s_when_both_have_agreed(
    at: str, tmp_path: Path, first: str
) -> None:
    with (
        _home(tmp_path, "alice", at) as alice,
        syncchat.open(tmp_path / "new.db", name="new") as new,
    ):
        alice.create_room("Team", relay=at).send("hello")
        with pytest.raises(NotAllowedError):
            new.devices.agree()
        async with all_online([alice, new]):
            await _asked(alice, new, at)
            (asking,) = alice.devices.asking()
            assert asking.emoji == new.devices.own_emoji() and len(asking.emoji) == 7
            stranger, home = new.id, alice.room(alice.devices.home_room or b"")
            if first == "old":
                alice.devices.approve(asking.id)
                await until(lambda: not new._membership.group(1).requests)
                alice.devices.rename(asking.id, "laptop")
                await home.synced()
                await until(lambda: _cursor(new) == _cursor(alice))
                assert new.id == stranger and new.devices.must_compare
                new.devices.agree()
            else:
                new.devices.agree()
                assert new.id == stranger and not new.devices.must_compare
                alice.devices.approve(asking.id)
            await until(lambda: new.id == alice.id)
            await until(lambda: [room.title for room in new.rooms()] == ["Team"])
            await until(lambda: [m.text for m in new.rooms()[0].messages()] == ["hello"])
        assert new.name == "Alice"
        assert new.check() == alice.check() == []


@pytest.mark.usefixtures("cheap")
async def test_who_stands_between_with_the_code_shows_other_emoji_and_gets_nothing(
    tmp_path: Path,
) -> None:
    """The relay is in league with somebody who overheard the code, and swaps all keys."""
    async with (
        syncchat_relay.serve(LOCAL) as real,
        syncchat_relay.serve(LOCAL) as posing,
    ):

        @asynccontextmanager
        async def cheated(relay: str) -> AsyncIterator[Transport]:
            assert relay == real.url
            async with connect_websocket(posing.url) as transport:
                yield transport

        with (
            _home(tmp_path, "alice", real.url) as alice,
            _home(tmp_path, "mallory", posing.url) as mallory,
            syncchat.open(tmp_path / "spy.db") as spy,
            syncchat.open(tmp_path / "new.db", connect=cheated) as new,
        ):
            alice.create_room("Team", relay=real.url).send("secret")
            async with all_online([alice, mallory, spy, new]):
                code = await _asked(alice, spy, real.url)
                row = mallory.devices._need_home()
                mallory.devices._open_invite(row, code_seed(code))
                await mallory.room(row.room_id).synced()
                await new.devices.ask_by_code(code, real.url)
                await until(lambda: bool(new.devices.own_emoji()))
                (asking,) = alice.devices.asking()
                assert asking.id == spy.device
                assert asking.emoji != new.devices.own_emoji()
                (caught,) = mallory.devices.asking()
                mallory.devices.approve(caught.id)
                await until(lambda: not mallory.devices.asking())
                new.devices.refuse()
                alice.devices.turn_down(asking.id)
                await until(lambda: not alice.devices.asking())
                await alice.room(alice.devices.home_room or b"").synced()
            assert new.id not in (mallory.id, alice.id) and new.rooms() == []
            assert spy.id != alice.id and spy.rooms() == []
            assert [each.is_this for each in alice.devices.all()] == [True]


async def test_answer_that_was_not_committed_to_shows_no_emoji(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else who answers could look for a nonce with which the emoji come out as they want."""
    with (
        _home(tmp_path, "mallory", at) as mallory,
        syncchat.open(tmp_path / "new.db") as new,
    ):
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(mallory.online())
            code = mallory.devices.code()
            await mallory.room(mallory.devices.home_room or b"").synced()
            monkeypatch.setattr(duties, "answer_nonce", lambda *_, **__: bytes(16))
            await new.devices.ask_by_code(code, at)
            await stack.enter_async_context(new.online())
            await until(lambda: any(each.emoji for each in mallory.devices.asking()))
            await until(lambda: bool(new._membership.group(1).challenges))
            assert new.devices.own_emoji() == ()
            with pytest.raises(NotAllowedError):
                new.devices.agree()


def _cursor(peer: syncchat.Peer) -> int:
    return peer.devices._need_home().cursor


def _rooms(db: Path) -> list[str]:
    return [row["title"] for row in json_lines(run("rooms", "--json", "--db", db))]


def _mistyped(code: str) -> str:
    last = int_from_base32(code[-1], bits=5)
    return code[:-1] + base32_from_int(last ^ 1, chars=1)
