"""Configs mutated at random: each is refused in one line and leaves no file, or plans a whole run.

How they are mutated, and what is asked of them, is in benchmarks/fuzz_configs.py, which does 20,000.
"""

from __future__ import annotations

import random
from collections import Counter
from functools import lru_cache
from pathlib import Path

import fuzz_configs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maestrata.config import files

EXAMPLES = 2000
SEEN: Counter[bool] = Counter()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fuzz_configs.folder_with_configs(tmp_path_factory.mktemp("configs"))


@pytest.fixture(scope="module", autouse=True)
def read_once() -> None:
    """The files that are extended are the same each time, and reading them would take half of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "read_yaml", lru_cache(maxsize=8)(files.read_yaml))
        yield


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
def test_a_mutated_config_is_refused_in_one_line_or_plans_a_run(path: Path, seed: int) -> None:
    data, _ = fuzz_configs.mutate(random.Random(seed))
    path.write_bytes(data)
    _, config = fuzz_configs.outcome(path)
    SEEN[config is not None] += 1
    if config is not None:
        fuzz_configs.dry_run(config, most=20)


def test_enough_of_them_load_and_enough_do_not() -> None:
    """Else the test above would ask little; it runs first."""
    if not SEEN:
        pytest.skip("the mutated configs were not asked for")
    assert min(SEEN[True], SEEN[False]) > EXAMPLES // 10
