"""Storage: one SQLite file per peer.

Envelopes are the log; what the journals hold (``message`` and ``mark`` rows) and what is shown of
it (the folded columns beside them, fields, read markers, digests) follow from the log and can be
rebuilt from it. The outbox holds what was written here and not yet sealed.

``database`` opens and guards the file, ``schema`` makes it, the other modules own a group of
tables each: ``rooms``, ``chains``, ``outbox``, ``view``, ``history``, ``lease``. SQL lives here
and nowhere else in the peer.
"""
