"""Shared builders for tests: fake ports, chains written by hand, peers joined without sockets."""
