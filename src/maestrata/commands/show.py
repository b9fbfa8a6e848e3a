"""Show what a run came to: a short table, the verdicts, the main figure and a page to explore.

PATH is the folder of a run (results/default), a folder of published cubes, or one cube. Without it, the cubes
that come with the repository are shown. Nothing is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from maestrata.errors import CubeError

if TYPE_CHECKING:
    import xarray as xr

    from maestrata.results import CubeSet

HELP = "what a run came to: table, verdicts, main figure, page to explore"

PUBLISHED = Path("reference", "default")
_FIGURE = "recovery_by_level"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "path", nargs="?", help="folder of a run or of cubes, or a cube (default: the published)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("results/show"), metavar="FOLDER",
        help="where figure and page are written (default: results/show)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Print the tables, write figure and page."""
    from maestrata.cubes.io import open_cube
    from maestrata.results import CubeSet

    place = Path(args.path).expanduser() if args.path else published()
    files = cubes_in(place)
    cubes = CubeSet(open_cube(path) for path in files)
    print(f"{place}: {len(files)} cube{'s' * (len(files) > 1)} ({', '.join(sorted(cubes))})")
    regression, verdicts = cubes.get("regression"), cubes.get("verdicts")
    for kind in sorted({*cubes} - {"regression", "verdicts"}) if regression is None else ():
        cube = cubes.one(kind)
        print("", cube.attrs["title"], dict(cube.sizes), "(maestrata.open_cube opens it)", sep="\n")
    if regression is not None:
        print("", *_scores(regression), sep="\n")
    if verdicts is not None:
        print("", *_verdicts(verdicts), sep="\n")
    if regression is not None:
        title = place.resolve().name if place.is_dir() else place.stem
        print("", *_written(cubes, title, args.out), sep="\n")


def published() -> Path:
    """Return the folder of published cubes: of the working directory, or of the checkout that is installed.

    Raises
    ------
    CubeError
        If there is none.
    """
    for root in (Path(), Path(__file__).parents[3]):
        if (root / PUBLISHED).is_dir():
            return root / PUBLISHED
    raise CubeError(
        f"{PUBLISHED} is not here: name a cube or a run's folder, or work in a clone of the repository"
    )


def cubes_in(place: Path) -> list[Path]:
    """Return the cubes of a folder, which may be that of a run; of a file, itself.

    Raises
    ------
    CubeError
        If there are none.
    """
    if not place.is_dir():
        return [place]
    patterns = ("*.nc", "experiments/*.nc", "cubes/*.nc", "cubes/experiments/*.nc", "verdicts/*.nc")
    files = [path for pattern in patterns for path in sorted(place.glob(pattern))]
    if not files:
        raise CubeError(f"{place}: no cube (.nc) in this folder or in its cubes/, experiments/ and verdicts/")
    return files


def _scores(cube: xr.Dataset) -> Iterator[str]:
    """Yield a table: R2 of each level by world, patch and ratio, means over worlds and training seeds."""
    from maestrata.results import PRIMARY_TEXT, primary

    frame = primary(cube)
    if frame.empty:
        yield f"no finished cell has the primary features ({PRIMARY_TEXT})"
        return
    place = ["world", "patch", "mask_ratio"]
    table = frame.pivot_table("r2", place, "level", sort=False)
    about = frame.groupby(place, sort=False)
    worlds = about["world_seed"].nunique()
    progress = about["progress"].median() if "progress" in frame else worlds * float("nan")
    width = max(map(len, frame["world"]))
    yield "R2 of the causes at each level, read from the trained encoder: means over worlds"
    yield f"({PRIMARY_TEXT})"
    levels = sorted(table.columns)
    yield f"{'world':<{width}}{'patch':>7}{'ratio':>7}{'worlds':>8}{'progress':>10}" + "".join(
        f"{f'level {level}':>9}" for level in levels
    )
    # worlds and patches as they come in the cube, ratios in rising order
    worlds_seen, patches_seen = (list(dict.fromkeys(frame[name])) for name in ("world", "patch"))
    rows = sorted(
        table.iterrows(),
        key=lambda row: (worlds_seen.index(row[0][0]), patches_seen.index(row[0][1]), row[0][2]),
    )
    for at, row in rows:
        world, patch, ratio = at
        cells = "".join(f"{_two(row[level]):>9}" for level in levels)
        yield f"{world:<{width}}{patch:>7}{ratio:>7g}{worlds[at]:>8}{_two(progress[at]):>10}{cells}".rstrip()
    yield "progress: share explained of what can be explained of masked tokens, median; 1 is exact inference"


def _two(value: float) -> str:
    """Write a number with two digits, a dash where there is none."""
    return f"{round(value, 2) + 0.0:.2f}" if value == value else "-"


def _verdicts(cube: xr.Dataset) -> Iterator[str]:
    """Yield a line a claim: glyph, number, title, worlds."""
    from maestrata.claims.picture import LOOKS, verdicts_of

    yield "verdicts: " + ", ".join(f"{look.sign} {look.word}" for look in LOOKS.values())
    for i, (claim, verdict) in enumerate(zip(cube["claim"].values, verdicts_of(cube), strict=True)):
        look = LOOKS[verdict]
        worlds = f" ({int(cube['n_worlds'][i])} worlds)" if int(cube["n_worlds"][i]) else ""
        yield f"{look.sign} {claim:<10} {cube['title'].values[i]}{worlds}"


def _written(cubes: CubeSet, title: str, folder: Path) -> Iterator[str]:
    """Write the main figure and the explorer's page; yield where they are."""
    from maestrata.explorer.data import data_of
    from maestrata.explorer.page import page
    from maestrata.figures import registry
    from maestrata.figures.save import save
    from maestrata.figures.style import Style
    from maestrata.writing import write_text

    style, module = Style(), registry.load(_FIGURE)
    with style.context():
        figure = module.draw(cubes, style)
    save(figure, folder / f"{_FIGURE}.png", style)
    write_text(folder / "explorer.html", page(data_of(cubes, title)))
    yield f"figure    {folder / f'{_FIGURE}.png'}"
    yield f"explorer  {folder / 'explorer.html'}  (open it in a browser)"
