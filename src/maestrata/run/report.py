"""The report of a finished run, and where its results are: ``maestrata report`` ends ``make reproduce``."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

from snakemake.cli import get_argument_parser

from maestrata.config.load import load_config
from maestrata.run.start import split_partial

# Options of Snakemake after which not the whole run has been made.
PART = (
    *("targets", "until", "omit_from", "batch", "unlock", "lint", "list_rules", "list_target_rules", "dag"),
    *("rulegraph", "filegraph", "d3dag", "summary", "detailed_summary", "archive", "cleanup_metadata"),
    *("list_changes", "list_input_changes", "list_params_changes", "delete_all_output"),
    "conda_create_envs_only",
)


def report(path: str, *given: str) -> int:
    """Write report.zip beside the results of a run; return the exit status.

    Parameters
    ----------
    path : str
        Config of the run.
    *given : str
        What else Snakemake was given, ``ARGS`` of make: the run is the one that it made with these.
    """
    command = ["--configfile", path, *given]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # a warning is Snakemake's to give, once
            args = get_argument_parser().parse_args(command)
    except SystemExit:
        print(said.getvalue(), end="", file=sys.stderr)
        raise
    if args.dryrun:
        print("\na dry run: nothing was made")
        return 0
    part = [name for name in PART if getattr(args, name, None)]
    if part:
        print(f"\nnot the whole run (ARGS: {' '.join(given)}): no report was made")
        return 0
    overrides, _ = split_partial(args.config or [])
    config = load_config(*args.configfile, overrides=overrides)
    folder = Path(config.results, config.run)
    archive = folder / "report.zip"
    again = [sys.executable, "-m", "snakemake", *_asked(args), "--report", str(archive), "--quiet", "all"]
    done = subprocess.run(again, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(
            f"{done.stdout}\nmaestrata: the results are in {folder}/, but no report was made", file=sys.stderr
        )
        return 1
    figures, cubes = (len(list(folder.glob(pattern))) for pattern in ("figures/**/*.pdf", "cubes/**/*.nc"))
    print(f"\nfigures  {folder / 'figures'}/  ({figures}, each as pdf and png)")
    print(f"cubes    {folder / 'cubes'}/  ({cubes}; maestrata.open_cube(path) opens one)")
    print(f"explorer {folder / 'explorer.html'}  (open it in a browser)")
    print(f"report   {archive}  (unpack it, open report/report.html)")
    return 0


def _asked(args: Namespace) -> list[str]:
    """Return the options that say which run it is."""
    values = ["--config", *args.config] if args.config else []
    return ["--configfile", *map(str, args.configfile), *values]
