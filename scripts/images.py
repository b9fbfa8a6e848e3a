"""Draw the pictures of README and docs anew from the published cubes: ``python scripts/images.py``.

They are written to docs/images, and drawn from the cubes of the run under reference/ that `PICTURES`
names; the picture of worlds from the worlds of the default config, which are made here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from maestrata.config.load import load_config
from maestrata.cubes.io import open_cube
from maestrata.figures import registry
from maestrata.figures.save import save
from maestrata.figures.style import Style
from maestrata.results import CubeSet
from maestrata.run.plan import Plan
from maestrata.steps import worlds

ROOT = Path(__file__).resolve().parents[1]
# picture -> figure, and the run that it shows
PICTURES = {
    name: (name, "evening")
    for name in ("recovery_by_level", "verdicts", "training_curves", "noise_invariance", "theorem_two")
}
PICTURES |= {
    "worlds": ("world", ""),
    "recovery_at_scale": ("recovery_by_level", "full"),
    "recovery_in_fresh_worlds": ("recovery_by_level", "replication"),
    "recovery_one_level_deeper": ("recovery_by_level", "deeper"),
    "recovery_in_the_grammar": ("recovery_by_level", "grammar"),
}


def made(config: Path, folder: Path) -> Iterator[Path]:
    """Make the worlds that a run would show, at their first seeds."""
    plan = Plan(load_config(config))
    for label, seed in plan.first_seed.items():
        world = plan.config.worlds[label]
        path = folder / f"{label}.nc"
        flags = ["--world", label, "--world-kind", world.kind, "--world-seed", str(seed)]
        worlds.main([*flags, "--world-settings", json.dumps(world.settings), "--output", str(path)])
        yield path


@cache
def below(folder: Path) -> CubeSet:
    """Open the cubes below a folder."""
    return CubeSet(map(open_cube, sorted(folder.rglob("*.nc"))))


def main(argv: list[str] | None = None) -> None:
    """Draw all of them, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *PICTURES], help="default: all")
    parser.add_argument("--cubes", type=Path, help="folder of cubes, in place of the published runs'")
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "config.yaml")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    args = parser.parse_args(argv)
    style = Style()
    with tempfile.TemporaryDirectory() as folder:
        for name in args.names or list(PICTURES):
            figure, run = PICTURES[name]
            if run:
                cubes = below(args.cubes or ROOT / "reference" / run)
            else:
                cubes = CubeSet(map(open_cube, made(args.config, Path(folder))))
            with style.context():
                drawn = registry.load(figure).draw(cubes, style)
            save(drawn, args.output / f"{name}.png", style)
            print(args.output / f"{name}.png")


if __name__ == "__main__":
    main()
