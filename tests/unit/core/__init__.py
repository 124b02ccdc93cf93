"""Tests of ``syncchat.core``."""
