"""The command ``syncchat``. Nothing heavy is loaded until a command needs it."""

from .app import cli, main

__all__ = ["cli", "main"]
