"""QR codes: in a terminal, and as a PNG file.

In the terminal a character is two modules, one above the other (``▀`` with a colour for each
half). There the colours are set, and are not those of the theme, so that a code is black on white
on dark and light terminals alike. Where colours cannot be set, modules are drawn as ink: that
reads well on a light background, and most cameras take it the other way round, too.

The quiet zone of four modules is part of the code (ISO/IEC 18004, 5.3.8).
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ValidationError

if TYPE_CHECKING:
    from segno import QRCode

QUIET_MODULES = 4
TEXT_BYTES_MAX = 2_953
"""What the largest code holds in bytes; of digits and of capitals it holds more."""

_PNG_PIXELS = 8
"""A module's width in a file: enough for print, and for a screen that shows it smaller."""

_BLACK, _WHITE = 16, 231
"""Of the 256 colours those that no theme changes."""

_RESET = "\x1b[0m"
_INK = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def qr_lines(text: str, *, has_colours: bool) -> list[str]:
    """Return the lines that show ``text`` as a QR code; ``has_colours`` where a terminal does.

    Raises ``ValidationError`` for text that is empty or too long.
    """
    rows = _modules(text)
    rows.append([False] * len(rows))  # a code has an odd number of rows
    pairs = zip(rows[::2], rows[1::2], strict=True)
    draw = _coloured if has_colours else _inked
    return [draw(list(zip(upper, lower, strict=True))) for upper, lower in pairs]


def qr_columns(text: str) -> int:
    """Return how many columns the lines take; a narrower terminal would break the code."""
    return len(_modules(text)[0])


def save_qr(text: str, path: Path) -> None:
    """Write ``text`` as a QR code to a new PNG file, for its owner's eyes only.

    What it shows may be an invite. Raises ``ValidationError`` where there
    is a file already or none can be, and for text that is empty or too long.
    """
    buffer = io.BytesIO()
    _code(text).save(buffer, kind="png", scale=_PNG_PIXELS, border=QUIET_MODULES)
    try:
        with open(path, "xb", opener=_open_private) as file:
            file.write(buffer.getvalue())
    except FileExistsError as exc:
        raise ValidationError(f"{path} is there already; give another name or remove it") from exc
    except OSError as exc:
        raise ValidationError(f"{path} cannot be written: {exc.strerror or exc}") from exc


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _modules(text: str) -> list[list[bool]]:
    """Return the code with its quiet zone, row by row; True is dark."""
    return [[bool(cell) for cell in row] for row in _code(text).matrix_iter(border=QUIET_MODULES)]


def _code(text: str) -> QRCode:
    import segno

    if not text:
        raise ValidationError("a QR code of nothing cannot be read; give it a text")
    try:
        # Forced for text of other scripts: UTF-8 can look like the Japanese mode's double bytes.
        mode = None if text.isascii() else "byte"
        return segno.make_qr(text, error="L", mode=mode, encoding="utf-8")
    except segno.DataOverflowError as exc:
        size = len(text.encode())
        raise ValidationError(
            f"{size:,} bytes do not fit into a QR code, which holds {TEXT_BYTES_MAX:,}; "
            "send the text itself"
        ) from exc
    except UnicodeEncodeError as exc:
        raise ValidationError(
            "the text has half a character in it, which no code can hold"
        ) from exc


def _inked(pairs: list[tuple[bool, bool]]) -> str:
    return "".join(_INK[pair] for pair in pairs)


def _coloured(pairs: list[tuple[bool, bool]]) -> str:
    shown, before = [], None
    for pair in pairs:
        if pair != before:
            upper, lower = (_BLACK if is_dark else _WHITE for is_dark in pair)
            shown.append(f"\x1b[38;5;{upper};48;5;{lower}m")
            before = pair
        shown.append("▀")
    return "".join(shown) + _RESET
