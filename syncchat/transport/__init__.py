"""Transports: ordered pipes of byte messages between a peer and a relay.

``base`` has the interface, ``websocket`` the one that production uses, ``memory`` one inside a
process. Both pass the same contract tests.
"""
