"""The show: a play from the empty folder to the verdict and the table at the end."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

import syncchat
from syncchat.ports import SystemClock

from . import verdict
from .conductor import TITLE, Conductor, Played
from .processes import DemoFailed
from .screen import LiveScreen, PlainScreen
from .script import ATTRIBUTION, Script, load_script
from .verdict import Check, check

PASSED, FAILED, INTERRUPTED = 0, 3, 130

SAMPLE = 200
"""Texts that are looked for in a peer's database, to see that the search can find any."""


def show(*, lines: int | None, rate: float, keep: bool | None, as_json: bool) -> int:
    """Play, judge, tell; return the exit code."""
    script = load_script(lines)
    words = Console(stderr=True)
    words.print(Text(ATTRIBUTION, "dim"), soft_wrap=True)
    folder = Path(tempfile.mkdtemp(prefix="syncchat-demo-"))
    finished = False
    try:
        played = _play(script, folder, rate, words)
        checks, bytes_at_rest = judge(played)
        finished = all(each.is_passed for each in checks)
    except DemoFailed as exc:
        click.echo(f"the demo failed: {exc}\nall files are in {folder}", err=True)
        return FAILED
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        click.echo("interrupted; every process was ended", err=True)
        return INTERRUPTED
    if finished:
        _tidy(played, folder, keep)
    if as_json:
        click.echo(json.dumps(_summary(played, checks, bytes_at_rest, folder), indent=1))
    else:
        _print_table(played, checks, bytes_at_rest)
        if keep is not False or not finished:
            click.echo(_how_to_go_on(played, folder))
    return PASSED if finished else FAILED


def _play(script: Script, folder: Path, rate: float, words: Console) -> Played:
    clock = SystemClock()
    kind = LiveScreen if words.is_terminal else PlainScreen
    with kind(words, len(script.lines), clock) as screen:
        conductor = Conductor(script, folder, rate=rate, screen=screen, clock=clock)
        try:
            return asyncio.run(_play_unless_told_to_end(conductor))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


async def _play_unless_told_to_end(conductor: Conductor) -> Played:
    """Play, and let a request to end or a closed terminal do what Ctrl-C does."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
    return await conductor.play()


# The verdict


def judge(played: Played) -> tuple[list[Check], int]:
    """Open every database again and hold it against the script; return the relay's bytes too."""
    script, names = played.script, played.script.names
    digests: list[str] = []
    found: dict[str, list[str]] = {what: [] for what in _WHAT}
    orders: list[list[str]] = []
    for name, path in zip(names, played.databases, strict=True):
        with syncchat.open(path) as peer:
            room = peer.room(TITLE)
            shown = list(verdict.every_message(room))
            digests.append(room.digest())
            faults = {
                "once": verdict.lines_missing_or_doubled(script, shown),
                "unaltered": verdict.lines_altered(script, played.ids, shown),
                "order": verdict.lines_out_of_order(played.written, shown),
                "sound": peer.check() + [f"unsent: {item.what}" for item in room.outbox()],
            }
        orders.append([message.id for message in shown])
        for what, each in faults.items():
            found[what] += [f"{name}: {fault}" for fault in each]
    if len({tuple(order) for order in orders}) > 1:
        found["order"].append("the peers show different orders")
    if len({*played.digests, *digests}) > 1:
        found["digests"].append("digests differ")
    texts = [line.text for line in script.lines] + [line.nick for line in script.lines]
    files = [path for path in sorted(played.relay_dir.rglob("*")) if path.is_file()]
    found["secret"] += verdict.plaintext_found(texts, files)
    sample = texts[:SAMPLE]
    if not list(verdict.plaintext_found(sample, _database_files(played.databases[0]))):
        found["secret"].append("the search finds nothing where it must: in a peer's database")
    checks = [check(text, found[what]) for what, text in _WHAT.items()]
    return checks + played.checks, sum(path.stat().st_size for path in files)


_WHAT = {
    "once": "every peer shows every line once",
    "unaltered": "text, author and reply link of every line are as written",
    "order": "every peer shows the same order, and each author's lines as written",
    "digests": "all digests are equal, also after a reopen",
    "sound": "every database is sound, and nothing waits to be sent",
    "secret": "the relay's files hold no text and no name",
}


def _database_files(database: Path) -> list[Path]:
    return sorted(path for path in database.parent.glob(f"{database.name}*"))


# The end


def _tidy(played: Played, folder: Path, keep: bool | None) -> None:
    """Remove what is not needed to go on by hand."""
    if keep is False:
        shutil.rmtree(folder)
    elif keep is None:
        for database in played.databases[2:]:
            for path in [*_database_files(database), database.with_suffix(".log")]:
                path.unlink(missing_ok=True)


def _summary(
    played: Played, checks: list[Check], bytes_at_rest: int, folder: Path
) -> dict[str, Any]:
    return {
        "ok": all(each.is_passed for each in checks),
        "lines": len(played.script.lines),
        "text_bytes": played.script.text_bytes,
        "seconds": round(played.seconds, 2),
        "relay_bytes_at_rest": bytes_at_rest,
        "peers": [
            {
                "name": name,
                "lines": len(played.written[seat]),
                "bytes_up": played.up[seat],
                "bytes_down": played.down[seat],
                "digest": played.digests[seat],
            }
            for seat, name in enumerate(played.script.names)
        ],
        "checks": [
            {"what": each.what, "ok": each.is_passed, "faults": list(each.faults)}
            for each in checks
        ],
        "folder": str(folder) if folder.exists() else None,
        "attribution": ATTRIBUTION,
    }


def _print_table(played: Played, checks: list[Check], bytes_at_rest: int) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("peer")
    for heading in ("lines written", "bytes up", "bytes down"):
        table.add_column(heading, justify="right")
    table.add_column("digest")
    for seat, name in enumerate(played.script.names):
        table.add_row(
            name,
            f"{len(played.written[seat]):,}",
            f"{played.up[seat]:,}",
            f"{played.down[seat]:,}",
            played.digests[seat][:16],
        )
    console = Console(file=sys.stdout, highlight=False)
    console.print()
    console.print(table)
    count = len(played.script.lines)
    console.print(
        f"\n{count:,} messages with {played.script.text_bytes:,} bytes of text in "
        f"{played.seconds:.1f} s; at rest on the relay: {bytes_at_rest:,} bytes",
        soft_wrap=True,
    )
    for each in checks:
        sign = Text("passed", "green") if each.is_passed else Text("FAILED", "bold red")
        console.print(Text.assemble(sign, "  ", each.what), soft_wrap=True)
        for fault in each.faults:
            console.print(Text(f"        {fault}"), soft_wrap=True)


def _how_to_go_on(played: Played, folder: Path) -> str:
    command = _command()
    where = ["--data-dir", str(played.relay_dir), "--port", str(played.relay_port)]
    relay = shlex.join([command, "relay", *where])
    chats = [
        shlex.join([command, "chat", TITLE, "--db", str(path)]) for path in played.databases[:2]
    ]
    return (
        f"\nTo go on by hand, start the relay again and chat in two terminals:\n\n"
        f"  {relay} &\n  {chats[0]}\n\n  {chats[1]}\n\n"
        f"The files are in {folder}; delete it when you have seen enough."
    )


def _command() -> str:
    """Return how this person calls syncchat: by name, or by path where it is not on PATH."""
    if shutil.which("syncchat"):
        return "syncchat"
    beside = Path(sys.executable).with_name("syncchat")
    return str(beside) if beside.exists() else "syncchat"
