"""Searching from the command line: offline, and what others change is found as it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from .programs import json_lines, relay_in, syncchat, two_people

pytestmark = pytest.mark.timeout(240)  # dozens of processes, on a machine that may be busy


def found(db: Path, *query: str) -> list[str]:
    shown = syncchat("search", "--newest", "--json", "--db", db, *query)
    return [each["message"]["content"] for each in json_lines(shown)]


def test_what_others_write_change_and_delete_is_found_offline_as_it_is(tmp_path: Path) -> None:
    with relay_in(tmp_path / "relay") as relay:
        alice, bob = two_people(tmp_path, relay.url)
        first, second = (
            syncchat("send", "Team", text, "--db", alice).strip()
            for text in ("Mittagessen im Café 日本 👍", "see https://example.org/menu")
        )
        assert found(alice, "cafe") == ["Mittagessen im Café 日本 👍"]
        for db in (alice, bob):
            syncchat("sync", "--db", db)
        relay.kill()
        for query in ("tagess", "CAFE mit", "本", "👍", "from:Alice mittag", "in:Team -has:link"):
            assert found(bob, "--", *query.split()) == ["Mittagessen im Café 日本 👍"], query
        assert found(bob, "has:link", "menu") == ["see https://example.org/menu"]
        assert "Team  Alice: Mittagessen im Café" in syncchat("search", "--db", bob, "café")
        relay.start()
        syncchat("edit", "Team", first, "Abendessen", "--db", alice)
        syncchat("delete", "Team", second, "--db", alice)
        for db in (alice, bob):
            syncchat("sync", "--db", db)
    for db in (alice, bob):
        assert found(db, "abend", "is:edited") == ["Abendessen"]
        for query in ("mittag", "menu"):
            assert syncchat("search", query, "--db", db, code=3) == ""
        syncchat("doctor", "--db", db)
    for query in ("is:nothing", '"open', "from:Nobody", "after:soon", "x"):
        assert syncchat("search", query, "--db", bob, code=2) == ""
