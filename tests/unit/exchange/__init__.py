"""Tests of ``syncchat.exchange``."""
