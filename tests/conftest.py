"""Hypothesis profiles, for all tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# ``dev`` is quick and looks elsewhere each time; ``ci`` is the same on every run; ``nightly``
# takes as long as it takes.
settings.register_profile("dev", max_examples=50, stateful_step_count=30, deadline=None)
settings.register_profile(
    "ci", settings.get_profile("dev"), max_examples=300, derandomize=True, print_blob=True
)
settings.register_profile(
    "nightly",
    max_examples=5_000,
    stateful_step_count=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
