"""The demo: a real chat, played through a relay and four peers while things go wrong.

``script`` casts the lines of the corpus to four seats; ``conductor`` plays them by way of
``processes`` (a relay and a ``player`` for each seat) and causes the mishaps; ``verdict`` holds
what every peer shows against the script; ``screen`` tells of it.
"""

from .command import demo

__all__ = ["demo"]
