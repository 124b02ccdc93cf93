"""The relay of syncchat: stores and forwards envelopes that it cannot read."""

from .config import Admit, Config, Creators
from .effects import Grant
from .handle import Relay
from .server import serve

__all__ = ["Admit", "Config", "Creators", "Grant", "Relay", "serve"]
