"""What every test runs under: one thread, fixed seeds, the same examples of hypothesis each time."""

# ruff: noqa: E402 -- the environment has to be set before what reads it is imported

from __future__ import annotations

import os

# Before NumPy and torch are first imported, which read them then. Tests that start programs hand them on.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["MPLBACKEND"] = "Agg"

import random
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest

TESTS = Path(__file__).parent

hypothesis.settings.register_profile(
    "maestrata",
    derandomize=True,  # a failure in one run is a failure in every run
    database=None,
    deadline=None,  # times are not what is tested, and machines differ
    max_examples=50,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("maestrata")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Seed the global generators, which the library never uses, for whatever else does."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 -- other people's code draws from it
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook, and would be first
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what was not asked for; keep together, under xdist, the tests that share something expensive."""
    slurm = pytest.mark.skip(reason="needs MAESTRATA_TEST_SLURM=1: it starts SLURM daemons on this machine")
    for item in items:
        if item.get_closest_marker("slurm") and os.environ.get("MAESTRATA_TEST_SLURM") != "1":
            item.add_marker(slurm)
        if item.get_closest_marker("xdist_group") is None:
            # all runs of the workflow share one finished smoke run; other tests share their file's fixtures
            shared = TESTS / "workflow" in item.path.parents
            item.add_marker(pytest.mark.xdist_group("workflow" if shared else item.nodeid.partition("::")[0]))
