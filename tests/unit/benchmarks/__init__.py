"""Tests of how benchmarks are found, run and compared."""
