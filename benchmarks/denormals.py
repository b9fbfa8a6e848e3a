"""Exact inference and kernels on values too small for normal form, against ordinary ones.

    OMP_NUM_THREADS=1 python benchmarks/denormals.py [--rounds 7]

Some processors take a hundred cycles more for a product with a number below 1e-38 (float32) or 1e-308
(float64). Each case runs on ordinary values and on tiny ones, in turns; what counts is the median of the
ratios of processor time. Exits 1 if one is above 2.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maestrata import worlds
from maestrata.inference.grid import Edge, NodeGrid, combine, flush
from maestrata.inference.symbols import pattern_moments, propagate
from maestrata.machine import processor
from maestrata.regression.probes import make
from maestrata.regression.probes.kernel_ridge import squared_distances
from maestrata.standardise import Standard

LIMIT = 2.0
RESULTS = Path(__file__).parent / "results"
ORDINARY = (-5.0, 0.0)
TINY = {"float32": (-103.0, -87.0), "float64": (-745.0, -708.0)}
"""Logs of numbers that only the denormal form of a type holds."""
Work = Callable[[], object]


def tables(dtype: str, logs: tuple[float, float]) -> Work:
    """Belief propagation in a grammar; all symbols of a token but one are as likely as `logs` say."""
    world: Any = worlds.make("grammar_tree", 0, leaves=16, symbols=8)
    n, tokens, rng = 500, world.grid.n_tokens, np.random.default_rng(0)
    fit = rng.uniform(*logs, (tokens, 8, n))
    fit[np.arange(tokens)[:, None], rng.integers(0, 8, (tokens, n)), np.arange(n)] = 0
    images = world.sample(n).images.reshape(n, tokens, -1).astype(np.float64)

    def likelihood(_: object, part: np.ndarray) -> np.ndarray:
        return fit[..., : len(part)].copy()

    def work() -> object:
        shown = np.ones((n, tokens), bool)
        symbols, _ = propagate(world, images, shown, likelihood, True, np.dtype(dtype))
        return pattern_moments(world, symbols[0], np.dtype(dtype))

    return work


def grids(logs: tuple[float, float]) -> Work:
    """Messages along an edge of the additive tree; all points but one are as likely as `logs` say."""
    rng = np.random.default_rng(0)
    grid = NodeGrid.cover(np.eye(2), np.full(2, -2.0), np.full(2, 2.0), 0.1)
    edge = Edge(grid, grid, grid.points * 0.9, 0.4)
    fit = rng.uniform(*logs, (grid.size, 64)).astype(np.float32)
    fit[rng.integers(0, grid.size, 64), np.arange(64)] = 0

    def work() -> object:
        evidence = flush(np.exp(fit))  # as inference makes it of a token
        return edge.down(combine(edge.up(evidence), evidence))

    return work


def kernels(logs: tuple[float, float]) -> Work:
    """Kernel ridge on points as far from each other as `logs` say; each held-out row is next to one."""
    rng = np.random.default_rng(0)
    points = np.eye(400, dtype=np.float32)
    x = np.concatenate([points, points[:200]]) + rng.normal(0, 1e-3, (600, 400)).astype(np.float32)
    y = rng.standard_normal((600, 16)).astype(np.float32)
    features = Standard.of(x).apply(x[:400])
    between = squared_distances(features, features)
    gamma = -sum(logs) / 2 / np.median(between)
    probe = make("kernel_ridge", points=400, gammas=(float(gamma) * x.shape[1],))

    def work() -> object:
        return probe.fit(x, y).predict(x)

    return work


def cases() -> Iterator[tuple[str, str, Callable[[tuple[float, float]], Work]]]:
    """Yield what is run, the type whose denormals it meets, and what makes it."""
    for dtype in TINY:
        yield "tables of symbols", dtype, partial(tables, dtype)
        yield "kernel ridge", dtype, kernels
    yield "messages between grids", "float32", grids


def seconds(work: Work) -> float:
    """Processor time of one run, in s."""
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    lines, slow = [], []
    for name, dtype, make_work in cases():
        works = [make_work(ORDINARY), make_work(TINY[dtype])]
        rounds = [[seconds(work) for work in works] for _ in range(args.rounds)]
        ordinary, tiny = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratio = statistics.median(b / a for a, b in rounds)
        lines.append(f"| {name} | {dtype} | {ordinary * 1000:.0f} | {tiny * 1000:.0f} | {ratio:.2f} |")
        slow += [f"{name} ({dtype}): {ratio:.1f} times slower"] if ratio > LIMIT else []
    text = "\n".join(
        [
            "# Values too small for normal form",
            "",
            "    OMP_NUM_THREADS=1 python benchmarks/denormals.py",
            "",
            f"{processor()}, one core.",
            f"Medians of n = {args.rounds} rounds in turns, processor time. Limit: {LIMIT:.0f} times.",
            "",
            "| what | type | ordinary, ms | tiny, ms | ratio |",
            "|---|---|---|---|---|",
            *lines,
        ]
    )
    print(text)
    if slow:
        raise SystemExit("too slow: " + "; ".join(slow))
    (RESULTS / "denormals.md").write_text(text + "\n")


if __name__ == "__main__":
    main()
