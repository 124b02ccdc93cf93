"""Options ``--qr`` and ``--qr-png``: a link as a code that another device's camera reads."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ...errors import ValidationError
from .options import say

_Command = TypeVar("_Command", bound=Callable[..., Any])


def qr_options(command: _Command) -> _Command:
    """Add ``--qr`` and ``--qr-png FILE``."""
    png = click.option(
        "--qr-png",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write it as a QR code to a new PNG file, for your eyes only.",
    )
    return click.option("--qr", is_flag=True, help="Show it as a QR code, too, on standard error.")(
        png(command)
    )


def check_png(path: Path | None) -> None:
    """Raise ``ValidationError`` where a code could not be written, before there is one."""
    if path is not None and path.exists():
        raise ValidationError(f"{path} is there already; give another name or remove it")


def show_code(text: str, *, qr: bool, png: Path | None) -> None:
    """Show ``text`` as a QR code as the options say; words and codes go to standard error."""
    if not qr and png is None:
        return
    from ..qr import qr_columns, qr_lines, save_qr

    if png is not None:
        save_qr(text, png)
        say(f"QR code in {png}; whoever sees it has what it says")
    if not qr:
        return
    is_terminal = sys.stderr.isatty()
    width = shutil.get_terminal_size().columns
    if is_terminal and qr_columns(text) > width:
        say(f"the code needs {qr_columns(text)} columns and there are {width}; take --qr-png FILE")
        return
    has_colours = is_terminal and "NO_COLOR" not in os.environ
    for line in qr_lines(text, has_colours=has_colours):
        click.echo(line, err=True, color=has_colours)
