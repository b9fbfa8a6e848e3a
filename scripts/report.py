"""Make the report of a finished run and say where its results are (the end of ``make reproduce``)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from maestrata.config.load import load_config
from maestrata.errors import MaestrataError


def main(path: str) -> int:
    """Write report.zip beside the results of the config at `path`; return the exit status."""
    try:
        config = load_config(path)
    except MaestrataError as error:
        print(f"maestrata: {error}", file=sys.stderr)
        return 2
    folder = Path(config.results, config.run)
    report = folder / "report.zip"
    command = [sys.executable, "-m", "snakemake", "--configfile", path, "--report", str(report)]
    if subprocess.run([*command, "--quiet", "all"]).returncode:
        return 1
    figures, cubes = (len(list(folder.glob(pattern))) for pattern in ("figures/**/*.pdf", "cubes/**/*.nc"))
    print(f"\nfigures  {folder / 'figures'}/  ({figures}, each as pdf and png)")
    print(f"cubes    {folder / 'cubes'}/  ({cubes}; maestrata.open_cube(path) opens one)")
    print(f"report   {report}  (unpack it, open report/report.html)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
