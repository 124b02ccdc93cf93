"""Simulated worlds: what the simulator found, and what a lying relay can and cannot do."""
