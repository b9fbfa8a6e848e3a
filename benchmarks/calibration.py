"""Calibration of the verdicts: how often each claim's statistic errs on nulls, and finds effects of stated size.

    python benchmarks/calibration.py

Rows: numbers of simulated worlds for every sort of claim there is (as many one-sided tests and equivalences);
sweeps: simulated regression cubes for claims 6, 7 and 8 (`maestrata.claims.calibration` says how both are drawn).
"Alone" is a claim judged by itself, which is where it errs most; "first step" asks for what Holm's correction asks
of the smallest p of all claims that train models. Intervals are exact 95 % binomial ones (Clopper and Pearson).

Writes benchmarks/results/calibration.json, .md and .png; equal inputs give equal bytes.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import beta

from maestrata.claims import calibration, registry
from maestrata.figures.save import save
from maestrata.figures.style import Style
from maestrata.random import stream

WORLDS = (12, 19)
FAMILY = 16  # claims 2 to 17 train models
RESULTS = Path(__file__).parent / "results"
COLORS = {12: "#0072B2", 19: "#D55E00"}


def binomial(count: int, n: int) -> tuple[float, float, float]:
    """Share with its exact 95 % interval."""
    low = 0.0 if count == 0 else float(beta.ppf(0.025, count, n - count + 1))
    high = 1.0 if count == n else float(beta.ppf(0.975, count + 1, n - count))
    return count / n, low, high


def simulate(rows: int, sweeps: int) -> list[dict[str, Any]]:
    """All rates, one entry a simulation study."""
    claims = registry.load_all()
    found: list[dict[str, Any]] = []
    signatures: dict[calibration.Signature, list[int]] = {}
    for claim in claims:
        if claim.TRAINS:
            signatures.setdefault(calibration.signature(claim), []).append(claim.NUMBER)
    for n in WORLDS:
        for k, (tests, numbers) in enumerate(sorted(signatures.items(), key=lambda item: str(item[0]))):
            for j, scenario in enumerate(calibration.SCENARIOS):
                rng = stream(0, "claims", 2, n, k, j)
                rates = calibration.row_rates(tests, scenario, n, rows, rng, FAMILY)
                found.append(entry("rows", str(tests), numbers, scenario, scenario.startswith("null"), n, rates))
        by_number = {claim.NUMBER: claim for claim in claims}
        for k, (name, sweep) in enumerate(calibration.SWEEPS.items()):
            rng = stream(0, "claims", 3, n, k)
            rates = calibration.sweep_rates(name, by_number[sweep.claim], n, sweeps, rng, FAMILY)
            found.append(entry("sweep", f"claim {sweep.claim}", [sweep.claim], name, sweep.null, n, rates))
            print(name, n, rates, flush=True)
    return found


def entry(
    kind: str, what: str, numbers: list[int], scenario: str, null: bool, n: int, rates: calibration.Rates
) -> dict[str, Any]:
    """One study as plain data."""
    return {"kind": kind, "tests": what, "claims": numbers, "scenario": scenario, "null": null, "worlds": n} | asdict(
        rates
    )


def markdown(found: list[dict[str, Any]]) -> str:
    """All rates as a table."""
    lines = ["# Calibration of the verdicts", "", *(__doc__ or "").strip().splitlines()[4:8], ""]
    lines += ["| simulated | claims | scenario | worlds | n | supported | contradicted | supported, first step |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for e in found:
        n = e["simulations"]
        shares = [text(e[key], n) for key in ("supported", "contradicted", "supported_first")]
        numbers = ", ".join(map(str, e["claims"]))
        head = (f"{e['kind']}: {e['tests']}", numbers, e["scenario"], str(e["worlds"]), str(n))
        lines.append(f"| {' | '.join([*head, *shares])} |")
    return "\n".join(lines) + "\n"


def text(count: int, n: int) -> str:
    share, low, high = binomial(count, n)
    return f"{share:.3f} [{low:.3f}, {high:.3f}]"


def draw(found: list[dict[str, Any]], path: Path) -> None:
    """Nulls on the left, power on the right."""
    style = Style()
    with style.context():
        nulls = [e for e in found if e["null"]]
        effects = [e for e in found if not e["null"]]
        heights = max(len(nulls), len(effects)) / len(WORLDS)
        figure, axes = style.figure(1, 2, panel_height=0.36 * heights + 0.6)
        left, right = axes[0]
        listed(left, nulls, (("supported", "o", 0.0),))
        left.axvline(0.05, color="#333333", linestyle="--", linewidth=0.8)
        left.set_xlim(0, 0.1)
        left.set_xlabel("share called supported, alone")
        left.set_title("Nulls: at most .05 (dashed)")
        listed(right, effects, (("supported", "o", 0.0), ("supported_first", "D", 0.0)))
        right.axvline(0.8, color="#333333", linestyle="--", linewidth=0.8)
        right.set_xlim(0, 1.02)
        right.set_xlabel("share called supported")
        right.set_title("Effects: power (dashed: .8)")
        style.title(figure, "Calibration of the verdicts")
        n = sorted({(e["kind"], e["simulations"]) for e in found})
        style.footer(
            figure,
            [
                "Circles: judged alone; diamonds, open: at the first step of Holm's correction over "
                f"{FAMILY} claims. Blue: 12 worlds, orange: 19. Bars: exact 95 % binomial intervals.",
                "; ".join(f"{kind}: {count:,} simulations each" for kind, count in n)
                + ". Sizes in sd over worlds of each contrast.",
            ],
        )
    save(figure, path, style)


def listed(axes: Any, entries: list[dict[str, Any]], marks: tuple[tuple[str, str, float], ...]) -> None:
    """Draw one line a study, the numbers of worlds side by side."""
    names = list(dict.fromkeys((e["tests"], e["scenario"]) for e in entries))
    for e in entries:
        y = names.index((e["tests"], e["scenario"])) + (-0.17 if e["worlds"] == WORLDS[0] else 0.17)
        for key, marker, _ in marks:
            share, low, high = binomial(e[key], e["simulations"])
            color = COLORS[e["worlds"]]
            fill = color if key == "supported" else "white"
            axes.hlines(y, low, high, color=color, linewidth=0.8)
            axes.plot([share], [y], marker=marker, markersize=3.2, color=color, markerfacecolor=fill, clip_on=False)
    axes.set_yticks(range(len(names)), [label(*name) for name in names], fontsize="xx-small")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", color="#eeeeee", linewidth=0.5)


def label(tests: str, scenario: str) -> str:
    """Two short lines."""
    if tests.startswith("claim"):
        number, _, rest = scenario.partition(", ")
        return f"claim {number}\n{rest}"
    return f"{tests}\n{scenario}"


def main() -> None:
    """Simulate, write, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2000, help="simulations of rows, each")
    parser.add_argument("--sweeps", type=int, default=400, help="simulations of sweeps, each")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--redraw", action="store_true", help="draw again from calibration.json")
    args = parser.parse_args()
    np.seterr(all="raise", under="ignore")
    file = args.out / "calibration.json"
    if args.redraw:
        found = json.loads(file.read_text())
    else:
        args.out.mkdir(parents=True, exist_ok=True)
        found = simulate(args.rows, args.sweeps)
        file.write_text(json.dumps(found, indent=1) + "\n")
    (args.out / "calibration.md").write_text(markdown(found))
    draw(found, args.out / "calibration.png")


if __name__ == "__main__":
    main()
