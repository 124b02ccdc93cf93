"""The command ``syncchat-relay``, which ``syncchat relay`` is too."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path

import click

from syncchat.errors import SyncchatError, ValidationError

from .config import Config
from .server import Relay, serve

LOG_LEVELS = ("debug", "info", "warning", "error")


@click.command(name="relay")
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("syncchat-relay"),
    show_default=True,
    help="Folder of the log; made when missing. One relay at a time may use it.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=8765, show_default=True, help="0: any free."
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOSTNAME",
    help="Host name that peers dial; repeat for several. Needed beyond this machine.",
)
@click.option("--log-level", type=click.Choice(LOG_LEVELS), default="warning", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print url, port and incarnation as JSON.")
def main(
    data_dir: Path, host: str, port: int, names: tuple[str, ...], log_level: str, as_json: bool
) -> None:
    """Run a relay: it stores and forwards what peers write, and cannot read it.

    Stops on SIGTERM or Ctrl-C after committing what it has in hand.
    """
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    try:
        config = Config(data_dir=data_dir, host=host, port=port, names=names)
    except ValidationError as exc:
        raise click.UsageError(str(exc)) from exc
    try:
        _run(config, as_json=as_json)
    except SyncchatError as exc:
        click.echo(f"error: {exc}", err=True)
        sys.exit(1)


def _run(config: Config, *, as_json: bool) -> None:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve_until_signal(config, as_json=as_json))


async def _serve_until_signal(config: Config, *, as_json: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows: a handler of the old kind does
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    async with serve(config) as relay:
        click.echo(_announcement(relay, as_json=as_json))
        sys.stdout.flush()
        await stop.wait()


def _announcement(relay: Relay, *, as_json: bool) -> str:
    if not as_json:
        return f"relay listening on {relay.url}"
    return json.dumps(
        {"url": relay.url, "port": relay.port, "incarnation": relay.incarnation.hex()}
    )


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """Return uvloop where it is installed: it halves the CPU time of a delivery."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
