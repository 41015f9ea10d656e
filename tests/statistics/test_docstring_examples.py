"""The examples in the docstrings of the pure modules run and give what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import stream_processors.sketches
import stream_processors.statistics

MODULES = [
    "stream_processors.windows",
    *(
        found.name
        for package in (stream_processors.sketches, stream_processors.statistics)
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    ),
]
STATISTICS = {
    "benjamini_hochberg",
    "between_windows",
    "cauchy",
    "chi_squared",
    "dispersion",
    "effective_size",
    "fisher",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "mann_whitney",
    "mood",
    "psi",
    "wasserstein",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    """Every example gives the result beside it, and every statistic has one."""
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0
    assert results.attempted or name.rpartition(".")[2] not in STATISTICS
