"""The relay of syncchat: stores and forwards envelopes that it cannot read."""

from .config import Config
from .server import serve

__all__ = ["Config", "serve"]
