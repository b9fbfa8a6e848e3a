"""Time of the exact theory: single masks on large graphs, many masks of one tree.

    OMP_NUM_THREADS=1 python benchmarks/theory.py

Aims: a graph of 10,000 nodes in under 2 s a mask; 100,000 random masks of a 64-leaf tree, both readings, both
ties, uniqueness included, in under 10 s on one core. Every timing is repeated. Printed are the median and the
slowest by the clock, and the median of the processor's time, which other programs on the machine touch less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from maestrata.geometry import TokenGrid
from maestrata.graphs import LatentGraph, tree_graph
from maestrata.masks import MaskPatches
from maestrata.random import stream
from maestrata.theory.arrays import GraphArrays
from maestrata.theory.distributions import mask_distribution
from maestrata.theory.ensembles import mask_ensemble
from maestrata.theory.shared import shared_information
from maestrata.theory.supply import supply_of_masks
from maestrata.theory.trees import colour
from maestrata.worlds import make


def layered(n: int, parents: int, rng: np.random.Generator) -> LatentGraph:
    """Random layers, each half as wide as the one below, and 1 to `parents` parents a node in the next."""
    sizes = [n // 2]
    while sizes[-1] > 1 and sum(sizes) < n:
        sizes.append(max(sizes[-1] // 2, 1))
    edges = set()
    for level in range(len(sizes) - 1):
        above = sizes[level + 1]
        for i in range(sizes[level]):
            count = min(above, int(rng.integers(1, parents + 1)))
            first = i * above // sizes[level]
            found = {first, *rng.integers(0, above, count - 1).tolist()}
            edges |= {(f"{level + 1}.{p}", f"{level}.{i}") for p in found}
    graph = LatentGraph(sorted(edges))
    return LatentGraph(graph.edges, {node: int(rng.integers(1, 5)) for node in graph.nodes})


def chain_of_diamonds(n: int) -> LatentGraph:
    """One long path of diamonds with a leaf at each: a deep graph with several parents."""
    edges = []
    for i in range(n // 4):
        edges += [(f"a{i}", f"b{i}"), (f"a{i}", f"c{i}"), (f"b{i}", f"a{i + 1}"), (f"c{i}", f"a{i + 1}")]
        edges += [(f"b{i}", f"x{i}")]
    return LatentGraph([*edges, (f"a{n // 4}", "end")])


def timed(repeats: int, call: Callable[[], Any]) -> tuple[float, float, float]:
    clock, processor = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        call()
        clock.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return statistics.median(clock), max(clock), statistics.median(processor)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--masks", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    rows: list[tuple[str, float, float, float]] = []
    rng = np.random.default_rng(0)

    graphs = {f"layers, up to {k} parents": layered(args.nodes, k, rng) for k in (1, 2, 4)}
    graphs["chain of diamonds"] = chain_of_diamonds(args.nodes)
    for name, graph in graphs.items():
        leaves = list(graph.leaves)
        for ratio in (0.1, 0.5, 0.9):
            masked = [leaves[i] for i in rng.permutation(len(leaves))[: max(1, int(ratio * len(leaves)))]]
            for reading in ("separator", "invertible"):
                took = timed(args.repeats, lambda g=graph, m=masked, r=reading: shared_information(g, m, r))
                rows.append((f"one mask, {len(graph):,} nodes, {name}, r = {ratio}, {reading}", *took))

    grid = TokenGrid.for_leaves(64)
    patches = MaskPatches(grid)
    for name, dims in (
        ("equal dimensions", None),
        ("dimensions growing downwards", {k: 8 - k for k in range(7)}),
    ):
        graph = tree_graph(grid, dims)
        took = timed(
            args.repeats,
            lambda g=graph: mask_distribution(g, patches, 0.5, "fixed", args.masks, stream(0, "theory")),
        )
        rows.append((f"{args.masks:,} masks, 64-leaf tree, {name}: the whole distribution", *took))
    arrays = GraphArrays(tree_graph(grid))
    masked = mask_ensemble(patches, 0.5, "fixed", args.masks, stream(0, "theory")).masked
    rows.append(
        ("  of it: colouring alone (highest set)", *timed(args.repeats, lambda: colour(arrays, masked)))
    )
    took = timed(args.repeats, lambda: supply_of_masks(arrays, masked, 0.9))
    rows.append((f"{args.masks:,} masks, 64-leaf tree: supply of all levels", *took))

    for leaves in (16, 64):
        world = make("latent_dag", 0, leaves=leaves)
        graph, n = world.graph, 200
        took = timed(
            args.repeats,
            lambda g=graph, w=world, n=n: mask_distribution(
                g, MaskPatches(w.grid), 0.5, "fixed", n, stream(0, "theory"), enumerate_up_to=0
            ),
        )
        name = f"a mask of latent_dag, {leaves} leaves, both readings and ties (mean of {n})"
        rows.append((name, took[0] / n, took[1] / n, took[2] / n))

    width = max(len(row[0]) for row in rows)
    print(f"{'':<{width}}  median / s  slowest / s  processor / s   (n = {args.repeats})")
    for name, median, slowest, processor in rows:
        print(f"{name:<{width}}  {median:10.4f}  {slowest:11.4f}  {processor:13.4f}")


if __name__ == "__main__":
    main()
