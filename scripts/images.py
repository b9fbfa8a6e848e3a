"""Draw the pictures of README and docs anew from the published cubes: ``python scripts/images.py``.

They are written to docs/images, and drawn from the cubes of reference/evening; the picture of worlds from the
worlds of the default config, which are made here, and that of the run at scale from reference/full.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
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
# picture -> figure
PICTURES = {
    name: name
    for name in ("recovery_by_level", "verdicts", "training_curves", "noise_invariance", "theorem_two")
}
PICTURES |= {"worlds": "world", "recovery_at_scale": "recovery_by_level"}
AT_SCALE = ROOT / "reference" / "full"


def made(config: Path, folder: Path) -> Iterator[Path]:
    """Make the worlds that a run would show, at their first seeds."""
    plan = Plan(load_config(config))
    for label, seed in plan.first_seed.items():
        world = plan.config.worlds[label]
        path = folder / f"{label}.nc"
        flags = ["--world", label, "--world-kind", world.kind, "--world-seed", str(seed)]
        worlds.main([*flags, "--world-settings", json.dumps(world.settings), "--output", str(path)])
        yield path


def main(argv: list[str] | None = None) -> None:
    """Draw all of them, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *PICTURES], help="default: all")
    parser.add_argument("--cubes", type=Path, default=ROOT / "reference" / "evening")
    parser.add_argument("--config", type=Path, default=ROOT / "config" / "config.yaml")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    args = parser.parse_args(argv)
    names, style = args.names or list(PICTURES), Style()
    with tempfile.TemporaryDirectory() as folder:
        files = sorted(args.cubes.rglob("*.nc"))
        files += made(args.config, Path(folder)) if "worlds" in names else []
        cubes = CubeSet(open_cube(path) for path in files)
        at_scale = CubeSet(open_cube(path) for path in sorted(AT_SCALE.rglob("*.nc")))
        for name in names:
            with style.context():
                shown = at_scale if name == "recovery_at_scale" else cubes
                figure = registry.load(PICTURES[name]).draw(shown, style)
            save(figure, args.output / f"{name}.png", style)
            print(args.output / f"{name}.png")


if __name__ == "__main__":
    main()
