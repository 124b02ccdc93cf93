"""Tests: ``python -m tests`` runs every check, ``pytest`` the tests alone."""
