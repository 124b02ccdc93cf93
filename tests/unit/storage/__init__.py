"""Tests of ``syncchat.storage``."""
