"""Core-seconds and memory of a finished run by rule, as Snakemake measured its jobs.

python benchmarks/rules.py results/default [--before FOLDER]
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path


def rules_of(folder: Path) -> dict[str, dict[str, float]]:
    """Sum the jobs of each rule up: how many, their processor time in s, the largest peak of memory in MB."""
    rules = {}
    for rule in sorted(path for path in (folder / "benchmarks").iterdir() if path.is_dir()):
        texts = [path.read_text().splitlines() for path in rule.rglob("*.tsv")]
        rows = [row for lines in texts for row in csv.DictReader(lines, delimiter="\t")]
        time, peak = ([number(row[name]) for row in rows] for name in ("cpu_time", "max_rss"))
        rules[rule.name] = {"jobs": len(rows), "cpu_s": sum(time), "peak_mb": max(peak, default=0)}
    return rules


def number(text: str) -> float:
    """Read a value of Snakemake's; of jobs that are over at once it has none."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def table_of_rules(before: dict[str, dict[str, float]], after: dict[str, dict[str, float]]) -> str:
    """Lay the core-seconds by rule out as markdown: of the run, and where there is one of a run before it."""
    names = [*after, *(name for name in before if name not in after)]
    rows = [(name, before.get(name), after.get(name)) for name in names]
    total = [
        {key: sum(rule[key] for rule in rules.values()) for key in ("jobs", "cpu_s")} | {"peak_mb": 0}
        for rules in (before, after)
    ]
    rows.append(("**all**", *total))
    columns = ("jobs", "core-seconds", "s a job", "peak MB")
    head = ["rule", *(f"before: {name}" for name in columns if before), *columns]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, *runs in rows:
        cells = [name]
        for rule in runs if before else runs[1:]:
            empty = rule is None or not rule["jobs"]
            cells += (
                [""] * len(columns)
                if empty
                else [
                    f"{rule['jobs']}",
                    f"{rule['cpu_s']:,.0f}",
                    f"{rule['cpu_s'] / rule['jobs']:.1f}",
                    f"{rule['peak_mb']:,.0f}" if rule["peak_mb"] else "",
                ]
            )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder of a run")
    parser.add_argument("--before", type=Path, help="folder of an earlier one")
    args = parser.parse_args()
    print(table_of_rules(rules_of(args.before) if args.before else {}, rules_of(args.results)))


if __name__ == "__main__":
    main()
