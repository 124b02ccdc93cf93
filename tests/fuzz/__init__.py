"""Fuzzing of everything that eats bytes from outside.

``targets`` are functions of one byte string that judge what the code makes of it: only the errors
that are documented may escape, what is accepted must mean the same to the CRDT library or survive
its own encoding, and neither time nor memory may run away. The same functions run

* under hypothesis and over the corpus, in every run of the tests (``test_fuzz``);
* under a coverage-guided fuzzer, for as long as one likes::

    pip install -e '.[fuzz]'
    python -m tests.fuzz update --seconds 300
    make fuzz

``corpus/TARGET.txt`` holds named inputs in hex: seeds, made from the vectors by
``python -m tests.fuzz --write-seeds``, and inputs that once failed, which stay for ever.
"""
