"""Lets ``python -m syncchat_relay`` be the ``syncchat-relay`` command."""

from .cli import main

if __name__ == "__main__":
    main()
