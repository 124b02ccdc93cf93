"""Every error of a command is one line on standard error, with an exit code that means it."""

from __future__ import annotations

import errno

import click
import pytest
from click.testing import CliRunner

from syncchat import errors
from syncchat.apps.cli import cli
from syncchat.apps.cli.app import Commands
from syncchat.apps.cli.failures import Exit, NotReached, exit_code, first_cause


def _group(exc: BaseException) -> click.Group:
    @click.command()
    def fail() -> None:
        raise exc

    class One(Commands):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            return fail

    return One(name="syncchat")


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (errors.ValidationError("x"), 2),
        (errors.InviteError("x"), 2),
        (errors.NotFoundError("x"), 3),
        (errors.NotAllowedError("x"), 4),
        (errors.RelayRefused(1, "x"), 4),
        (errors.ConnectFailed("x"), 5),
        (NotReached("x"), 5),
        (errors.DatabaseDamaged("x"), 1),
        (errors.DatabaseBusy("x"), 1),
        (errors.DiskFull("x"), 1),
        (errors.ChainBroken("x"), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_error_of_the_tree_has_its_exit_code(exc: errors.SyncchatError, code: int) -> None:
    assert exit_code(exc) == code
    done = CliRunner().invoke(_group(exc), ["fail"])
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", "error: x\n")


def test_an_unexpected_error_is_one_line_too() -> None:
    done = CliRunner().invoke(_group(RuntimeError("boom")), ["fail"])
    assert done.exit_code == Exit.FAILURE
    assert done.stderr.startswith("error: unexpected: RuntimeError: boom; ")
    assert done.stderr.count("\n") == 1


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCCHAT_DEBUG", "1")
    done = CliRunner().invoke(_group(RuntimeError("boom")), ["fail"])
    assert "Traceback" in done.stderr and "in fail" in done.stderr
    assert done.exit_code == Exit.FAILURE


def test_words_of_an_error_cannot_steer_the_terminal() -> None:
    done = CliRunner().invoke(_group(errors.TransportError("\x1b[2Jgone")), ["fail"])
    assert done.stderr == "error: ␛[2Jgone\n"


def test_a_reader_that_has_gone_is_no_failure() -> None:
    gone = BrokenPipeError(errno.EPIPE, "Broken pipe")
    done = CliRunner().invoke(_group(gone), ["fail"])
    assert (done.exit_code, done.output) == (0, "")


def test_an_interrupt_ends_with_130_and_only_a_line_end() -> None:
    done = CliRunner().invoke(_group(KeyboardInterrupt()), ["fail"])
    assert (done.exit_code, done.output) == (130, "\n")


def test_what_a_task_group_wraps_is_told_as_itself() -> None:
    inner = errors.NotAllowedError("no")
    group = BaseExceptionGroup("a", [BaseExceptionGroup("b", [inner]), ValueError()])
    assert first_cause(group) is inner
    assert CliRunner().invoke(_group(group), ["fail"]).stderr == "error: no\n"


def test_wrong_usage_ends_with_2_and_says_how_to_get_help() -> None:
    for arguments in (["nonsense"], ["send"], ["history", "Team", "--limit", "0"]):
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == Exit.USAGE
        assert "--help" in done.stderr or "-h" in done.stderr


def test_version_is_printed() -> None:
    from syncchat import __version__

    assert CliRunner().invoke(cli, ["--version"]).stdout == f"syncchat {__version__}\n"
