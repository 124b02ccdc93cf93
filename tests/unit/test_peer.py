"""Peers: opening, rooms, joining, and the page that documents it all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import syncchat
from syncchat import errors
from syncchat.errors import InviteError, NotFoundError, SyncchatError, ValidationError
from syncchat.ids import room_text
from tests.support.keys import make_guessing_cheap
from tests.support.peers import LINK, RELAY, make_peer

PAGE = Path(__file__).parent.parent.parent / "docs" / "reference" / "api.md"


def test_example_of_the_api_page_runs_and_prints_what_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    lines = [line for line in example[1].splitlines() if line.strip()]
    assert len(lines) == 10
    monkeypatch.chdir(tmp_path)
    exec(compile(example[1], "api.md", "exec"), {})
    assert capsys.readouterr().out == "['hello, written offline'] 0\n['offline too']\n"


def test_example_of_encryption_on_the_api_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (example,) = (each for each in examples if "KeyFile" in each)
    make_guessing_cheap(monkeypatch)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "api.md", "exec"), {})
    with syncchat.open("restored.db", key=syncchat.KeyFile("alice.key")) as peer:
        assert [message.text for message in peer.rooms()[0].messages()] == ["written encrypted"]
    assert b"written" not in Path("restored.db").read_bytes()


@pytest.mark.parametrize("kind", [syncchat.Peer, syncchat.Room])
def test_api_page_names_every_public_member(kind: type) -> None:
    page = PAGE.read_text(encoding="utf-8")
    members = [name for name in dir(kind) if not name.startswith("_")]
    assert [name for name in members if not re.search(rf"`[^`]*\b{name}\b[^`]*`", page)] == []


def test_api_page_names_every_error() -> None:
    page = PAGE.read_text(encoding="utf-8")
    kinds = [k for k in vars(errors).values() if isinstance(k, type)]
    names = [k.__name__ for k in kinds if issubclass(k, SyncchatError)]
    assert len(names) > 15
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", ["", "   ", "x" * 51, "two\nlines", "\u202eevil"])
def test_name_that_is_none_is_refused_and_makes_no_database(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        syncchat.open(tmp_path / "x.db", name=name)
    assert list(tmp_path.glob("*.db")) in ([], [tmp_path / "x.db"])


def test_peer_keeps_its_name_until_it_is_given_another(tmp_path: Path) -> None:
    for given, expected in (("Alice", "Alice"), (None, "Alice"), ("Alicia", "Alicia")):
        with syncchat.open(tmp_path / "a.db", name=given) as peer:
            assert peer.name == expected
            assert peer.path == tmp_path / "a.db"


def test_renaming_shows_in_every_room(tmp_path: Path) -> None:
    with make_peer(1, name="Alice") as peer:
        rooms = [peer.create_room("One"), peer.create_room("Two")]
        peer.rename(" Alicia ")
        assert [[m.name for m in room.members()] for room in rooms] == [["Alicia"], ["Alicia"]]
        assert rooms[0].send("hello").sender_name == "Alicia"


def test_room_is_found_by_title_id_and_the_beginning_of_its_id() -> None:
    with make_peer(1) as peer:
        room = peer.create_room("Team")
        text = room_text(room.id)
        for name in ("Team", "team", text, text[:6].lower(), room.id):
            assert peer.room(name) == room
        with pytest.raises(NotFoundError, match="'Team'"):
            peer.room("nope")
        peer.create_room("Team")
        with pytest.raises(ValidationError, match="use an id"):
            peer.room("Team")
        assert len(peer.rooms()) == 2


@pytest.mark.parametrize(
    "relay", ["http://x", "ws://", "x", "ws://x:0", "ws://a@b", "ws://h/?q", "ws://[::1"]
)
def test_address_that_is_no_relays_is_refused_with_an_example(relay: str) -> None:
    with make_peer(1) as peer:
        with pytest.raises(ValidationError, match="relay address"):
            peer.create_room("Team", relay=relay)
        assert peer.rooms() == []


def test_joining_by_link_works_offline_and_again() -> None:
    with make_peer(1) as alice, make_peer(2) as bob:
        room = alice.create_room("Team", relay=RELAY)
        joined = bob.join(room.invite())
        assert (joined.id, joined.title, joined.relay) == (room.id, "Team", RELAY)
        assert bob.join(f"  {room.invite()}\n") == joined
        assert len(bob.rooms()) == 1
        assert alice.join(room.invite()) == room


@pytest.mark.parametrize(
    "link", ["", "hello", LINK[:-4], LINK[1:], LINK.replace("#", ""), LINK[:20]]
)
def test_link_that_is_cut_or_mistyped_is_refused_and_joins_nothing(link: str) -> None:
    with make_peer(1) as peer:
        with pytest.raises(InviteError):
            peer.join(link)
        assert peer.rooms() == []


def test_closing_twice_is_fine() -> None:
    peer = make_peer(1)
    peer.close()
    peer.close()
