"""Execute a notebook in place, in its own folder, with the interpreter at hand.

``python scripts/notebook.py docs/reading-the-results.ipynb`` puts what its cells print, show and draw in
their places. ``--check`` runs them and writes nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

# the same file each time: no version in a picture, no line breaks that depend on a terminal
OPTIONS = [
    "--InlineBackend.print_figure_kwargs={'bbox_inches': None, 'dpi': 130, 'metadata': {'Software': None}}",
    "--PlainTextFormatter.pprint=False",
    "--log-level=ERROR",  # else it warns that it talks to this machine without encryption
]


def execute(path: Path) -> nbformat.NotebookNode:
    """Run the code cells of a notebook and return it with their outputs.

    Raises
    ------
    SystemExit
        If a cell fails; its number and the error are told.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        extra_arguments=OPTIONS,
    )
    # figures are drawn into the notebook, whatever the environment would draw with
    with client.setup_kernel(env={key: os.environ[key] for key in os.environ if key != "MPLBACKEND"}):
        for number, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, number)
            except CellExecutionError as error:
                print(error, file=sys.stderr)
                raise SystemExit(f"{path}: cell {number} failed: {error.ename}: {error.evalue}") from None
    return notebook


def main(argv: list[str] | None = None) -> int:
    """Execute, and write unless told not to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebook", type=Path, help="the .ipynb file")
    parser.add_argument("--check", action="store_true", help="run it and write nothing")
    args = parser.parse_args(argv)
    if not args.notebook.is_file():
        print(f"error: {args.notebook} is not a file", file=sys.stderr)
        return 2
    path = args.notebook.resolve()
    done = execute(path)
    if not args.check:
        temporary = path.with_suffix(".tmp")
        nbformat.write(done, temporary)
        os.replace(temporary, path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
