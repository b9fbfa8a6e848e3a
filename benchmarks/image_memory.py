"""A folder of images made on the spot, through the whole workflow: time and the most memory of each rule.

2,000 PNG files of 64 x 64 pixels in four classes, small models, every stage and figure. The aim is 1 GB.
``python benchmarks/image_memory.py --out benchmarks/results/image_memory.md``
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
LIMIT_MB = 1000
CLASSES = 4
CONFIG = """
run: folder
worlds:
  photos: {kind: image_folder, path: photos, settings: {token_pixels: 8, flip: true, shift: 4, crop: 0.8}}
model: {width: 32, depth: 2, decoder_width: 32}
training: {images: 6_400, batch: 64}
grid:
  - {worlds: [photos], mask_ratios: [0.5, 0.75]}
  - {worlds: [photos], patches: [2x2], mask_ratios: [0.75]}
evaluation: {probe_train: 1000, test: 400, replicates: 100, detail: all}
theory: {samples: 500}
experiments:
  - {name: image_quality, worlds: [photos], settings: {scored: 100}}
  - {name: attention, worlds: [photos], settings: {test: 100}}
claims: {names: none}
"""


def write_images(folder: Path, n: int, side: int = 64) -> None:
    """Write n images: gratings whose direction is the class, of any phase and colour, under noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    for i in range(n):
        angle = np.pi * (i % CLASSES) / CLASSES
        wave = np.sin(2 * np.pi * (3 * (x * np.cos(angle) + y * np.sin(angle)) + rng.random()))
        colour = rng.uniform(20, 60, 3)
        pixels = 128 + wave[..., None] * colour + rng.normal(0, 25, (side, side, 3))
        place = folder / f"class{i % CLASSES}" / f"{i:06d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(place, compress_level=1)


def most_memory(folder: Path) -> dict[str, float]:
    """Return the most memory of any job of each rule, in MB, as Snakemake measured it."""
    most: dict[str, float] = {}
    for path in folder.rglob("*.tsv"):
        with path.open(encoding="utf-8") as file:
            values = [
                float(row["max_rss"])
                for row in csv.DictReader(file, delimiter="\t")
                if row["max_rss"] != "NA"
            ]
        most[path.parent.name] = max([most.get(path.parent.name, 0.0), *values])
    return most


def main() -> int:
    """Make the folder, run the workflow, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--out", type=Path, help="Markdown file that the table is written to")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "photos", args.images)
        (folder / "photos.yaml").write_text(CONFIG, encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        command += ["--configfile", "photos.yaml", "--cores", str(args.cores), "--quiet", "all"]
        started = time.monotonic()
        done = subprocess.run(command, cwd=folder, check=False)
        took = time.monotonic() - started
        most = most_memory(folder / "results" / "folder" / "benchmarks")
    # the planning process and all jobs: the largest of them
    largest = max(*most.values(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
    lines = [
        "# Memory of a run on a folder of images",
        "",
        f"`python benchmarks/image_memory.py`: {args.images:,} PNG images of 64 x 64 pixels made on the",
        f"spot, through the whole workflow on {args.cores} core(s), {took:.0f} s. Most resident memory of",
        "any job of a rule, as Snakemake measured it; of any process, planning included: "
        f"{largest:.0f} MB (aim: {LIMIT_MB:,} MB).",
        "",
        "| rule | MB |",
        "|---|---|",
        *(f"| `{rule}` | {megabytes:.0f} |" for rule, megabytes in sorted(most.items())),
    ]
    print("\n".join(lines))
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return done.returncode or int(largest > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
