"""Keeps the WebSocket library from logging frames: a token may stand in one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class _Quiet(_Adapter):
    """Is a logger that never debugs; the library asks it once for each connection."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.DEBUG and super().isEnabledFor(level)


def quiet(logger: logging.Logger) -> _Quiet:
    """Return ``logger`` without its debugging."""
    return _Quiet(logger, None)
