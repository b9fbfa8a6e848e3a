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
from typing import Any

import hypothesis
import numpy as np
import pytest

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


def _group(nodeid: str) -> str:
    """Tests that share something expensive: all runs of the workflow one smoke run, others their file's."""
    return "workflow" if nodeid.startswith("tests/workflow/") else nodeid.partition("::")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what was not asked for; begin with the runs of the workflow, which take longest."""
    slurm = pytest.mark.skip(reason="needs MAESTRATA_TEST_SLURM=1: it starts SLURM daemons on this machine")
    for item in items:
        if item.get_closest_marker("slurm") and os.environ.get("MAESTRATA_TEST_SLURM") != "1":
            item.add_marker(slurm)
    items.sort(key=lambda item: _group(item.nodeid) != "workflow")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a group on one process (xdist's ``loadgroup`` marks node ids, which pytest 9.2 does not read)."""
    from xdist.scheduler import LoadScopeScheduling

    class ByGroup(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    config.option.loadscopereorder = False  # else groups with the most tests, not the longest, would be first
    return ByGroup(config, log) if config.getvalue("dist") == "loadscope" else None
