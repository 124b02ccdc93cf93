"""The command ``syncchat demo``."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option(
    "--lines",
    type=click.IntRange(min=40),
    metavar="N",
    help="Play only the first N lines of the chat.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=1),
    default=130.0,
    show_default=True,
    help="Lines written per second.",
)
@click.option(
    "--keep/--no-keep",
    default=None,
    help="Keep all files, or none. Otherwise kept: the relay's log and two peers, to go on with.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a summary as JSON.")
def demo(lines: int | None, rate: float, keep: bool | None, as_json: bool) -> None:
    """Play a real chat on a relay and four peers, with failures, and check the result.

    Two peers go offline and write on, the relay is killed, a peer is killed while it writes. At
    the end every peer must show every line as it was written. Exits with 3 when one does not.
    """
    from .show import show  # here, so that other commands need not load it

    sys.exit(show(lines=lines, rate=rate, keep=keep, as_json=as_json))
