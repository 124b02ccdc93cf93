"""Tests of a room's handle, a file for each part of it."""
