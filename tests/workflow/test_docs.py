"""What README and docs tell people to paste, pasted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Checkout

ROOT = Path(__file__).parents[2]


def blocks(path: str, heading: str, language: str) -> list[str]:
    """Code blocks of a language under a heading."""
    text = (ROOT / path).read_text(encoding="utf-8")
    section = re.split(r"^## ", text.split(f"\n## {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_change_the_grid_of_the_readme(fresh: Checkout) -> None:
    (config,), (command,) = (blocks("README.md", "Change the grid", kind) for kind in ("yaml", "sh"))
    file = re.fullmatch(r"make reproduce CONFIG=(\S+)\n", command)
    assert file
    (fresh.folder / file[1]).write_text(config, encoding="utf-8")
    planned = fresh.planned(config=("--configfile", file[1]))
    # four world seeds, two patches, two ratios, two seeds; and what follows from them to the end
    assert sum(job.startswith("pretrain ") for job in planned) == 32
    assert "claims" in planned and any(job.startswith("figure ") for job in planned)


def test_the_world_of_extending(fresh: Checkout) -> None:
    page = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
    file = re.search(r"Write `(src/maestrata/worlds/\w+\.py)`", page)
    world = re.search(r"^```python\n(.*?class TurningTree.*?)^```$", page, re.MULTILINE | re.DOTALL)
    look = re.search(r"^```py\n(from maestrata import worlds.*?)^```$", page, re.MULTILINE | re.DOTALL)
    config = re.search(r"^```yaml\n(.*?kind: turning_tree.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert file and world and look and config
    (fresh.folder / file[1]).write_text(world[1], encoding="utf-8")
    env = os.environ | {"PYTHONPATH": str(fresh.folder / "src")}
    command = [sys.executable, "-c", look[1]]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (fresh.folder / "config/turning.yaml").write_text(f"run: turning\n{config[1]}", encoding="utf-8")
    planned = fresh.planned(config=("--configfile", "config/turning.yaml"))
    assert "worlds world=turning, world_seed=0" in planned and "claims" in planned
    assert sum(job.startswith("pretrain world=turning") for job in planned) == 1
