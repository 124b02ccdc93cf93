"""House rules about what readers are told to run: it exists, and the example works."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from syncchat_relay import Config, serve

from syncchat.apps.cli import cli

from .tree import ROOT

PAGES = (
    "README.md",
    "docs/tutorial/first-chat.md",
    "docs/tutorial/a-day-in-a-chat.md",
    "docs/tutorial/groups-and-devices.md",
    "docs/howto/manage-a-group.md",
    "docs/howto/keep-up-with-a-chat.md",
    "docs/howto/keep-things-in-order.md",
    "docs/howto/write-a-bot.md",
    "docs/howto/polls-pins-and-edits.md",
    "docs/howto/direct-and-disappearing.md",
    "docs/howto/search.md",
    "docs/howto/send-files.md",
)


def _commands(page: str) -> list[list[str]]:
    """Return the words of every ``syncchat`` command in a page's shell blocks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0].rpartition("/")[2] == "syncchat":
                found.append(words[1:])
    return found


TOLD = [(page, words) for page in PAGES for words in _commands(page)]


@pytest.mark.parametrize(
    ("page", "words"), TOLD, ids=lambda part: part if isinstance(part, str) else " ".join(part)
)
def test_command_that_readers_are_told_to_run_exists_with_its_options(
    page: str, words: list[str]
) -> None:
    command: click.Command = cli
    context = command.make_context("syncchat", list(words))
    while isinstance(command, click.Group):
        words = [*context._protected_args, *context.args]
        if not words and command.invoke_without_command:
            break
        _, found, rest = command.resolve_command(context, words)
        assert found is not None, page
        command, context = found, found.make_context(found.name, rest, parent=context)
    assert not context.args


def test_tutorial_leads_through_the_main_commands() -> None:
    told = {words[0] for _, words in TOLD}
    assert {"relay", "init", "room", "join", "chat", "send", "sync", "history"} <= told
    assert {"tail", "rooms", "doctor", "demo"} <= told
    assert {"invite", "members", "remove", "device", "recovery", "verify"} <= told


def test_tutorial_shows_the_command_of_every_feature() -> None:
    features = (ROOT / "docs/explanation/features.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in features.splitlines() if line.startswith("| ")]
    commands = {
        re.sub(r"^syncchat ", "", words).split()[0]
        for row in rows
        for words in re.findall(r"`([^`]+)`", row[3])
        if not words.startswith(("/", "--"))
    }
    assert len(commands) > 50
    pages = (ROOT / "docs/tutorial").glob("*.md")
    tutorial = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    shown = set(re.findall(r"\bsyncchat ([a-z-]+)", tutorial))
    assert commands - shown == set()


async def test_embedding_example_of_the_readme_runs_as_it_stands(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert "ws://127.0.0.1:8765" in example
    async with serve(Config(data_dir=tmp_path / "relay")) as relay:
        program = example.replace("ws://127.0.0.1:8765", relay.url)
        process = await _run(program, tmp_path)
    link, shown = process
    assert link.startswith("syncchat:")
    assert "'Alice', 'hello'" in shown
    assert "sent" in shown.lower()


async def _run(program: str, folder: Path) -> tuple[str, str]:
    async with asyncio.timeout(30):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    link, shown = out.decode().splitlines()
    return link, shown
