"""The reference page of the commands names every command and option there is."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from syncchat.apps.cli import cli
from syncchat.apps.cli.chat.commands import HELP
from syncchat.apps.cli.failures import Exit

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def _commands(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield path + name, command
            yield from _commands(command, f"{path}{name} ")
        else:
            yield path + name, command


COMMANDS = dict(_commands(cli))


OF_THE_LOCK = {"--passphrase", "--key-file", "--keychain"}
"""Come with ``--db`` and are told once, in front of all commands."""


def _section(name: str) -> str:
    """Return what the page says below the heading that names a command."""
    for part in PAGE.read_text(encoding="utf-8").split("\n### ")[1:]:
        heading, _, body = part.partition("\n")
        if f"`syncchat {name}`" in heading:
            return body.split("\n## ")[0]
    raise AssertionError(f"no heading names `syncchat {name}`")


def _is_told(option: str, text: str) -> bool:
    return re.search(rf"`[^`]*(?<![\w-]){re.escape(option)}(?![\w-])[^`]*`", text) is not None


def test_walk_finds_the_commands() -> None:
    wanted = [
        "init",
        "create",
        "join",
        "invite",
        "rooms",
        "chat",
        "send",
        "history",
        "search",
        "tail",
        "outbox",
        "delivery",
        "sync",
        "doctor",
        "encrypt",
        "decrypt",
        "backup",
        "restore",
        "relay",
        "demo",
        "simulate",
    ]
    below = ["room create", "relay revoke", "relay operator-link"]
    below += [f"operator {name}" for name in ("login", "list", "logout", "revoke")]
    below += [f"device {name}" for name in ("list", "link", "join", "rename", "revoke")]
    below += [f"recovery {name}" for name in ("show", "confirm", "restore")]
    below += [f"verify {name}" for name in ("show", "scan", "yes", "forget", "list", "warnings")]
    below += ["unread", "read", "mark-unread", "threads", "notify", "notifications", "receipts"]
    people = ["invites", "revoke-invite", "requests", "approve", "members", "remove", "role"]
    people += ["leave", "hide", "rotate", "who", "status", "location"]
    people += ["draft", "star", "stars", "archive", "favourite", "forget", "block", "blocked"]
    people += ["schedule", "scheduled", "unschedule", "remind", "reminders"]
    people += ["direct", "notes", "topic", "timer", "keep", "history-kept", "avatar"]
    people += ["edit", "delete", "edits", "react", "unreact", "forward", "report", "reports"]
    people += ["poll", "vote", "close-poll", "pin", "unpin", "pins"]
    people += ["attach", "voice", "files", "download", "cancel", "file-limits"]
    assert {*wanted, *people, *below} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_reference_has_every_command_with_its_options(name: str) -> None:
    text = _section(name)
    assert COMMANDS[name].help, f"{name} has no help"
    missing = [
        option
        for parameter in COMMANDS[name].params
        if isinstance(parameter, click.Option)
        for option in (*parameter.opts, *parameter.secondary_opts)
        if option not in OF_THE_LOCK and not _is_told(option, text)
    ]
    assert missing == []


@pytest.mark.parametrize("name", COMMANDS)
def test_reference_names_no_option_that_a_command_does_not_have(name: str) -> None:
    known = {
        option
        for parameter in COMMANDS[name].params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    rows = re.findall(r"^\| (`-[^|]*) \|", _section(name), re.MULTILINE)
    told = {option for row in rows for option in re.findall(r"`(--?[a-z-]+)", row)}
    assert told <= known


@pytest.mark.parametrize(
    "name", [n for n in COMMANDS if n.split()[0] not in ("relay", "demo", "simulate")]
)
def test_peer_commands_take_a_database_and_give_examples_first(name: str) -> None:
    command = COMMANDS[name]
    assert {"--db", *OF_THE_LOCK} <= {o for parameter in command.params for o in parameter.opts}
    _, examples, *_ = inspect.cleandoc(command.help or "").split("\n\n")
    assert examples.startswith("\b\n  syncchat "), "behind one sentence that says what it does"


@pytest.mark.parametrize(
    "name", [n for n in COMMANDS if n != "chat"], ids=lambda name: name.replace(" ", "-")
)
def test_commands_that_print_data_have_json(name: str) -> None:
    assert "--json" in {o for parameter in COMMANDS[name].params for o in parameter.opts}


def test_reference_has_the_options_before_the_command_and_every_exit_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    front = page.split("\n## Start\n")[0]
    for option in ("-V", "--version", "--debug", "-h", "--help", *OF_THE_LOCK):
        assert _is_told(option, front), option
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", front, re.MULTILINE)]
    assert codes == sorted(Exit)


def test_reference_has_every_slash_command_of_the_chat() -> None:
    text = _section("chat")
    assert [usage for usage, _ in HELP if f"`{usage}`" not in text] == []


def test_help_of_the_group_lists_every_command() -> None:
    shown = cli.get_help(click.Context(cli, info_name="syncchat"))
    for name in cli.list_commands(click.Context(cli)):
        assert re.search(rf"^  {name} +[A-Z]", shown, re.MULTILINE), name
