"""The wire format: the lowest thing that peers and relays share.

A relay connection carries *frames*, one binary WebSocket message each (``frames``). Frames carry
*envelopes*: a clear header, a sealed body and a signature (``envelope``). Sizes and times that
both sides must agree on are in ``limits``, what can be refused in ``codes``, and the link by which
people enter a room in ``invite``. ``docs/reference/wire.md`` is the normative text; the vectors in
``tests/vectors`` pin every byte.

Decoding raises ``DecodeError`` and nothing else.
"""
