"""Tests of the transport package that need no transport."""
