"""The fuzz targets, in every run: over the corpus, and on what hypothesis makes of it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.test_reader import mutated

from . import corpus
from .__main__ import _INPUT_BYTES_MAX

SECONDS_MAX = 1.0
"""For one input of the largest size; the slowest takes a tenth of it on an idle machine."""


@pytest.mark.parametrize("target", corpus.ALL)
def test_corpus_holds_the_seeds_that_the_vectors_make(target: str) -> None:
    kept = corpus.load(target)
    assert {name: kept.get(name) for name in corpus.seeds(target)} == corpus.seeds(target)


@pytest.mark.parametrize("target", corpus.ALL)
def test_target_accepts_some_seed_and_fails_on_no_input_of_the_corpus(target: str) -> None:
    accepted = [corpus.ALL[target](raw) for raw in corpus.load(target).values()]
    assert any(accepted)


@pytest.mark.parametrize("target", corpus.ALL)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_target_holds_for_random_bytes_and_for_mutants_of_its_corpus(
    target: str, data: st.DataObject
) -> None:
    seed = data.draw(st.sampled_from([b"", *corpus.load(target).values()]))
    corpus.ALL[target](data.draw(st.binary(max_size=200) | mutated(seed)))


@pytest.mark.parametrize("target", corpus.ALL)
def test_target_takes_no_longer_than_its_bound_for_repeated_parts_of_a_seed(target: str) -> None:
    for raw in corpus.load(target).values():
        half = len(raw) // 2
        for part in (raw, raw[:half], raw[half:], raw[-1:]):
            often = (part * _INPUT_BYTES_MAX)[:_INPUT_BYTES_MAX]
            for tried in (often, raw[:half] + often, raw + often):
                start = time.process_time()
                corpus.ALL[target](tried)
                assert time.process_time() - start < SECONDS_MAX


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs the extra 'fuzz'")
def test_coverage_guided_fuzzer_takes_the_seeds_and_runs() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "session", "--seconds", "1"]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=50, cwd=root
    )
    assert done.returncode == 0, done.stdout
    assert "all held" in done.stdout
