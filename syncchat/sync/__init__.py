"""Sync, sans IO: the state of one relay connection, and when to try the next one.

``session`` eats bytes and gives bytes and events, with time as an argument; ``backoff`` says how
long to wait between connections. Neither knows of sockets, tasks or storage.
"""
