"""Offline-first chat: the public names, each loaded on first use.

Kept lazy so that ``import syncchat.wire`` (all that a relay needs) loads nothing else.
"""
