"""The exchange: one peer's side of a relay connection, joined to its store, without asyncio.

``receiving`` turns delivered envelopes into rows, one transaction a batch; ``sealing`` turns the
outbox into envelopes; ``exchange`` runs both against a session, ``acks`` stores what the relay
says of what was pushed, and ``own`` what a restored backup must know of its former life. The
driver gives it bytes and time; a simulator can do the same.
"""
