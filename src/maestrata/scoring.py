"""What is scored, and how: every level's latents and injected noise, predicted by a probe or by inference.

All targets of a world stand side by side as the columns of one table, so that one factorisation of the
features and one bootstrap product serve them all. A discrete variable is one-hot: one column a symbol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import MaestrataError
from maestrata.resampling import R2, nanmean, percentiles
from maestrata.worlds.base import Target

KINDS = ("latent", "noise")
MIN_TEST = 100
"""With fewer test images than this no R2 is given: NaN, and the number of images."""


@dataclass(frozen=True)
class Group:
    """The columns of one variable of one node.

    Attributes
    ----------
    kind : str
        As of `maestrata.worlds.base.Target`.
    level, node : int
        Node in raster order within its level.
    columns : slice
    labels : ndarray (n,) of int, or None
        Symbols of a discrete variable: the column of each image's symbol, counted within the group.
    """

    kind: str
    level: int
    node: int
    columns: slice
    labels: NDArray[np.int64] | None


@dataclass(frozen=True)
class TargetTable:
    """Targets of `n` images.

    Attributes
    ----------
    values : ndarray (n, columns) of float32
    groups : tuple of Group
        In the order of the columns.
    """

    values: NDArray[np.float32]
    groups: tuple[Group, ...]

    @classmethod
    def of(cls, targets: Sequence[Target], n: int | None = None) -> TargetTable:
        """Put targets side by side, as `World.targets` lists them.

        `n` is the number of images of a world that may have no target, being images without classes.

        Raises
        ------
        MaestrataError
            If there are none, and `n` is not given.
        """
        if not targets and n is not None:
            return cls(np.empty((n, 0), np.float32), ())
        if not targets:
            raise MaestrataError("a world must name at least one target to be scored (World.targets)")
        ends = np.cumsum([0, *(target.values.shape[1] for target in targets)]).tolist()
        groups = (
            Group(target.kind, target.level, target.node, slice(start, stop), target.labels)
            for target, start, stop in zip(targets, ends[:-1], ends[1:], strict=True)
        )
        return cls(np.concatenate([target.values for target in targets], axis=1), tuple(groups))

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Levels that have targets, ascending."""
        return tuple(sorted({group.level for group in self.groups}))

    def first(self, n: int) -> TargetTable:
        """Targets of the first `n` images."""
        groups = (
            replace(group, labels=None if group.labels is None else group.labels[:n]) for group in self.groups
        )
        return TargetTable(self.values[:n], tuple(groups))

    def columns(
        self, kind: str | None = None, level: int | None = None, node: int | None = None
    ) -> list[int]:
        """Columns of one kind, level or node; each matters only where it is given."""
        return [
            column
            for g in self.groups
            if kind in (None, g.kind) and level in (None, g.level) and node in (None, g.node)
            for column in range(g.columns.start, g.columns.stop)
        ]

    def per_column(self, by_level: Mapping[int, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Spread what is known of each node, ``level -> (n, nodes)``, over the columns: (n, columns)."""
        out = np.empty(self.values.shape, bool)
        for group in self.groups:
            out[:, group.columns] = by_level[group.level][:, group.node, None]
        return out


@dataclass(frozen=True)
class LevelScore:
    """Score of one kind of target at one level.

    Attributes
    ----------
    r2, low, high : float
        Mean over nodes of the mean over dimensions; ends of the 95 % percentile bootstrap over test images.
    accuracy : float
        Share of symbols told right, mean over nodes; NaN where there are no symbols.
    n : int
        Test images of the node that has fewest.
    boot : ndarray (replicates,) of float32
        R2 in each bootstrap replicate.
    node : ndarray (nodes,)
        R2 of each node.
    """

    r2: float
    low: float
    high: float
    accuracy: float
    n: int
    boot: NDArray[np.float32]
    node: NDArray[np.float64]


Scores = dict[tuple[str, int], LevelScore]
"""``(kind, level) -> score``."""


class Scorer:
    """Scores predictions of the targets of the test images.

    Parameters
    ----------
    targets : TargetTable
        Of the n test images.
    weights : ndarray (replicates, n) of float32
        From `maestrata.resampling.bootstrap_weights`.
    present : mapping, optional
        ``level -> (n, nodes)`` of bool: images that count for a node, such as those that show a part of it.
    """

    def __init__(
        self,
        targets: TargetTable,
        weights: NDArray[np.float32],
        present: Mapping[int, NDArray[np.bool_]] | None = None,
    ) -> None:
        self.targets, self.weights = targets, weights
        counted = None if present is None else targets.per_column(present)
        self._r2 = R2(targets.values, weights, counted, least=MIN_TEST)

    def score(self, prediction: NDArray[Any]) -> Scores:
        """Score predictions (n, columns), level by level.

        A dimension that does not vary (a symbol that a node never takes) has no R2 and is left out of its
        node's mean. A node without any R2 makes its level NaN: a level would else be a mean over other nodes
        in other cells.

        Returns
        -------
        dict of (kind, level) to LevelScore
        """
        r2, boot = self._r2.of(prediction)
        out = {}
        for kind in dict.fromkeys(group.kind for group in self.targets.groups):
            for level in self.targets.levels:
                groups = [g for g in self.targets.groups if (g.kind, g.level) == (kind, level)]
                if not groups:
                    continue
                nodes = np.array([nanmean(r2[g.columns]) for g in groups])
                replicates = np.mean([nanmean(boot[:, g.columns], 1) for g in groups], axis=0)
                low, high = percentiles(replicates)
                out[kind, level] = LevelScore(
                    r2=float(nodes.mean()),
                    low=float(low),
                    high=float(high),
                    accuracy=float(np.mean([self._accuracy(prediction, g) for g in groups])),
                    n=int(min(self._r2.n[g.columns].min() for g in groups)),
                    boot=replicates.astype(np.float32),
                    node=nodes,
                )
        return out

    def _accuracy(self, prediction: NDArray[Any], group: Group) -> float:
        """Share of the images that count whose largest column is the right one."""
        first = group.columns.start
        if group.labels is None or self._r2.n[first] < MIN_TEST:
            return float("nan")
        # always in the type of a probe's predictions, so that symbols that are equally probable tie alike
        right = prediction[:, group.columns].astype(np.float32, copy=False).argmax(1) == group.labels
        return float((right if self._r2.present is None else right[self._r2.present[:, first]]).mean())
