"""Benchmarks: one module per scenario, run by ``python -m benchmarks``.

A scenario's module exposes ``NAME``, ``SUMMARY`` (one sentence) and ``run(smoke)``, which returns
figures by name; with ``smoke`` it runs in a second or two, for the tests. One that takes options of
its own exposes ``add_arguments(parser)`` too, and ``run`` takes them as keyword arguments. One that
measures rivals (``benchmarks.rivals``) names them in ``RIVALS``, and ``run`` takes ``against``.
"""
