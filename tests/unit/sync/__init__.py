"""Tests of ``syncchat.sync``."""
