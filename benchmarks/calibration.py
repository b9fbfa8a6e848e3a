"""Calibration of the verdicts: how often each claim's statistic errs on nulls, and what it finds.

    python benchmarks/calibration.py

Rows: numbers of simulated worlds for every sort of claim there is (as many one-sided tests and
equivalences); sweeps: simulated regression cubes for claims 6 to 10 and 18 (`simulated_claims` says
how both are drawn). "Alone" is a claim judged by itself, which is where it errs most; "first step" asks for
what Holm's correction asks of the smallest p of all claims that train models. Intervals are exact 95 %
binomial ones (Clopper and Pearson).

Writes benchmarks/results/calibration.json, .md and .png: equal inputs give equal bytes. Studies that are in
the .json already, with as many simulations, are not done again: delete it after a change of the rules.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import simulated_claims
from scipy.stats import beta

from maestrata.claims import registry
from maestrata.figures.save import save
from maestrata.figures.style import Style
from maestrata.random import stream

WORLDS = (12,)
FAMILY = sum(claim.TRAINS for claim in registry.load_all())
RESULTS = Path(__file__).parent / "results"
COLOR = "#0072B2"
AXIS = 0.1  # where that of the nulls ends


def binomial(count: int, n: int) -> tuple[float, float, float]:
    """Share with its exact 95 % interval."""
    low = 0.0 if count == 0 else float(beta.ppf(0.025, count, n - count + 1))
    high = 1.0 if count == n else float(beta.ppf(0.975, count + 1, n - count))
    return count / n, low, high


def simulate(rows: int, sweeps: int, file: Path) -> list[dict[str, Any]]:
    """All rates, one entry a study; each has its own stream, so those in the file are not redone."""
    found: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    done = {(e["tests"], e["scenario"], e["worlds"], e["simulations"]): e for e in found}
    claims = {registry.label(claim): claim for claim in registry.load_all() if claim.TRAINS}
    signatures: dict[simulated_claims.Signature, list[str]] = {}
    for label, claim in claims.items():
        signatures.setdefault(simulated_claims.signature(claim), []).append(label)
    found = []
    for n in WORLDS:
        for tests, labels in sorted(signatures.items(), key=lambda item: str(item[0])):
            for j, scenario in enumerate(simulated_claims.SCENARIOS):
                e = done.get((str(tests), scenario, n, rows))
                if e is None:
                    rng = stream(0, "claims", 2, n, tests.one_sided, tests.within, j)
                    rates = simulated_claims.row_rates(tests, scenario, n, rows, rng, FAMILY)
                    null = scenario.startswith("null")
                    e = entry("rows", str(tests), labels, scenario, null, n, rates)
                found.append(e | {"claims": labels})
                keep(found, done, file)
        for k, (name, sweep) in enumerate(simulated_claims.SWEEPS.items()):
            e = done.get((f"claim {sweep.claim}", name, n, sweeps))
            if e is None:
                rng = stream(0, "claims", 3, n, k)
                rates = simulated_claims.sweep_rates(name, claims[sweep.claim], n, sweeps, rng, FAMILY)
                e = entry("sweep", f"claim {sweep.claim}", [sweep.claim], name, sweep.null, n, rates)
            found.append(e)
            keep(found, done, file)
    file.write_text(json.dumps(found, indent=1) + "\n")
    return found


def keep(found: list[dict[str, Any]], done: dict[Any, dict[str, Any]], file: Path) -> None:
    """Write what there is, with what an earlier run left for later in the order."""
    places = {(e["tests"], e["scenario"], e["worlds"]) for e in found}
    later = [e for e in done.values() if (e["tests"], e["scenario"], e["worlds"]) not in places]
    file.write_text(json.dumps([*found, *later], indent=1) + "\n")


def entry(
    kind: str, what: str, labels: list[str], scenario: str, null: bool, n: int, rates: simulated_claims.Rates
) -> dict[str, Any]:
    """One study as plain data."""
    return {
        "kind": kind,
        "tests": what,
        "claims": labels,
        "scenario": scenario,
        "null": null,
        "worlds": n,
    } | asdict(rates)


def markdown(found: list[dict[str, Any]]) -> str:
    """All rates as a table."""
    lines = ["# Calibration of the verdicts", "", *(__doc__ or "").strip().splitlines()[4:9], ""]
    lines += [
        "| simulated | claims | scenario | worlds | n | supported | contradicted | supported, first step |"
    ]
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
    """Nulls above, power below."""
    style = Style()
    with style.context():
        nulls = [e for e in found if e["null"]]
        effects = [e for e in found if not e["null"]]
        counts = [len({(e["tests"], e["scenario"]) for e in part}) for part in (nulls, effects)]
        figure, axes = style.figure(
            2, 1, panel_height=0.085 * sum(counts) + 0.8, height_ratios=[count + 2 for count in counts]
        )
        left, right = axes[:, 0]
        left.set_xlim(0, AXIS)
        listed(left, nulls, (("supported", "o", 0.0),))
        left.axvline(0.05, color="#333333", linestyle="--", linewidth=0.8)
        left.set_xlabel("share called supported, alone")
        left.set_title("Nulls: at most .05 (dashed)")
        right.set_xlim(0, 1.02)
        listed(right, effects, (("supported", "o", 0.0), ("supported_first", "D", 0.0)))
        right.axvline(0.8, color="#333333", linestyle="--", linewidth=0.8)
        right.set_xlabel("share called supported")
        right.set_title("Effects: power (dashed: .8)")
        n = sorted({(e["kind"], e["simulations"]) for e in found})
        shares = {label(e["tests"], e["scenario"]): e["supported"] / e["simulations"] for e in nulls}
        beyond = {name: share for name, share in shares.items() if share > AXIS}
        worst = max(share for name, share in shares.items() if name not in beyond)
        style.frame(
            figure,
            "Calibration of the verdicts",
            f"Judged alone, a simulated null is supported in at most {worst:.3f} of runs (allowed: .05)"
            + (f", but for {len(beyond)} (arrow)." if beyond else "."),
            notes=[
                *(f"Arrow: {name}: {share:.2f}." for name, share in beyond.items()),
                "Circles: judged alone; diamonds, open: at the first step of Holm's correction over "
                f"{FAMILY} claims. 12 worlds. Bars: exact 95 % binomial intervals.",
                "; ".join(f"{kind}: {count:,} simulations each" for kind, count in n)
                + ". Sizes in sd over worlds of each contrast.",
            ],
        )
    save(figure, path, style)


def listed(axes: Any, entries: list[dict[str, Any]], marks: tuple[tuple[str, str, float], ...]) -> None:
    """Draw one line a study."""
    names = list(dict.fromkeys((e["tests"], e["scenario"]) for e in entries))
    for e in entries:
        y = names.index((e["tests"], e["scenario"]))
        for key, marker, _ in marks:
            share, low, high = binomial(e[key], e["simulations"])
            color = COLOR
            fill = color if key == "supported" else "white"
            if share > axes.get_xlim()[1]:  # beyond the axis: told in the notes
                axes.plot([axes.get_xlim()[1]], [y], marker=">", markersize=5, color=color, clip_on=False)
                continue
            axes.hlines(y, low, high, color=color, linewidth=0.8)
            axes.plot(
                [share], [y], marker=marker, markersize=3.2, color=color, markerfacecolor=fill, clip_on=False
            )
    axes.set_yticks(range(len(names)), [label(*name) for name in names], fontsize="xx-small")
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(axis="y", color="#eeeeee", linewidth=0.5)


def label(tests: str, scenario: str) -> str:
    """Name of a study."""
    return f"claim {scenario}" if tests.startswith("claim") else f"{tests}: {scenario.removeprefix('null: ')}"


def main() -> None:
    """Simulate, write, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2000, help="simulations of rows, each")
    parser.add_argument("--sweeps", type=int, default=200, help="simulations of sweeps, each")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--redraw", action="store_true", help="draw again from calibration.json")
    args = parser.parse_args()
    np.seterr(all="raise", under="ignore")
    file = args.out / "calibration.json"
    if args.redraw:
        found = json.loads(file.read_text())
    else:
        args.out.mkdir(parents=True, exist_ok=True)
        found = simulate(args.rows, args.sweeps, file)
    (args.out / "calibration.md").write_text(markdown(found))
    draw(found, args.out / "calibration.png")


if __name__ == "__main__":
    main()
