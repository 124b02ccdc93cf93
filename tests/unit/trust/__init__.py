"""Tests of keys, chains and seals."""
