"""What is regressed, as one table: every level's latents and the noise injected at every level.

All targets of a world stand side by side as columns, so that one factorisation of the features and
one bootstrap product serve them all. A discrete variable is one-hot: one column a symbol.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ProbeError
from maestrata.worlds.base import Sample, World

KINDS = ("latent", "noise")


@dataclass(frozen=True)
class Group:
    """The columns of one variable of one node.

    Attributes
    ----------
    kind : str
        ``latent`` or ``noise``.
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
    def of(cls, world: World, sample: Sample) -> TargetTable:
        """Collect the targets of a sample."""
        groups, start = [], 0
        targets = world.targets(sample)
        for target in targets:
            stop = start + target.values.shape[1]
            groups.append(Group(target.kind, target.level, target.node, slice(start, stop), target.labels))
            start = stop
        if not targets:
            raise ProbeError(f"world {world.name!r} names no targets")
        return cls(np.concatenate([t.values for t in targets], axis=1), tuple(groups))

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Levels that have targets, ascending."""
        return tuple(sorted({group.level for group in self.groups}))

    def node_columns(self, level: int, node: int) -> NDArray[np.int64]:
        """Columns of everything that is regressed at a node."""
        spans = [
            np.arange(g.columns.start, g.columns.stop)
            for g in self.groups
            if (g.level, g.node) == (level, node)
        ]
        return np.concatenate(spans) if spans else np.empty(0, np.int64)

    def per_column(self, by_level: dict[int, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Spread what is known of each node, ``level -> (n, nodes)``, over the columns: (n, columns)."""
        out = np.empty(self.values.shape, bool)
        for group in self.groups:
            out[:, group.columns] = by_level[group.level][:, group.node, None]
        return out
