"""Execute a notebook in place, with nothing but what maestrata needs itself: no Jupyter.

``python scripts/notebook.py docs/reading-the-results.ipynb`` runs its code cells in order, in the notebook's
folder, and puts what they print, what the last line of each is, and the figures they leave open in their
places. ``--check`` runs them and writes nothing.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def execute(path: Path) -> dict[str, Any]:
    """Run the code cells of a notebook and return it with their outputs.

    Raises
    ------
    SystemExit
        If a cell fails; its number and the error are told.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    with contextlib.chdir(path.parent):
        for number, cell in enumerate(notebook["cells"]):
            if cell["cell_type"] != "code":
                continue
            count += 1
            cell["execution_count"] = count
            try:
                cell["outputs"] = run_cell("".join(cell["source"]), names, count)
            except Exception as error:
                traceback.print_exc()
                raise SystemExit(f"{path}: cell {number} failed: {type(error).__name__}: {error}") from error
    return notebook


def run_cell(source: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Run one cell as a notebook does: its last line, if an expression, is shown."""
    import matplotlib.pyplot as plt

    body = ast.parse(source)
    end = body.body[-1] if body.body else None
    last = None
    if isinstance(end, ast.Expr):
        last = ast.Expression(end.value)
        body.body.pop()
    printed = io.StringIO()
    outputs: list[dict[str, Any]] = []
    with contextlib.redirect_stdout(printed):
        exec(compile(body, "<cell>", "exec"), names)
        value = None if last is None else eval(compile(last, "<cell>", "eval"), names)
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(True)})
    if isinstance(value, Figure):
        outputs.append(picture(value))
    elif value is not None and not source.rstrip().endswith(";"):
        outputs.append(
            {
                "output_type": "execute_result",
                "execution_count": count,
                "metadata": {},
                "data": {"text/plain": repr(value).splitlines(True)},
            }
        )
    outputs += [picture(figure) for figure in map(plt.figure, plt.get_fignums())]
    plt.close("all")
    return outputs


def picture(figure: Figure) -> dict[str, Any]:
    """Return a figure as the output of a cell."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": data}}


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
        temporary.write_text(json.dumps(done, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
