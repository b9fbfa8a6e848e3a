"""A book of scores: one array per variable over all readings, NaN where nothing was read.

It holds what a file of kind `scores` is made of; the steps write it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from maestrata.regression.scoring import LevelScore
from maestrata.regression.targets import KINDS
from maestrata.representation.pooling import POOLINGS

_SCALARS = ("r2", "r2_low", "r2_high", "accuracy", "n_test")


class ScoreBook:
    """Scores over (encoder, layer, pooling, eval_ratio, probe, target, level).

    Parameters
    ----------
    encoders, eval_ratios, probes : sequences of str
    depth : int
        Layers are 0 to depth.
    levels : int
        Levels are 0 to this.
    replicates : int
    discrete : bool
        Whether latents are symbols, so that there is an accuracy.
    nodes : mapping of int to sequence of str
        Names of the nodes of each level, for `r2_node`.
    """

    def __init__(
        self,
        encoders: Sequence[str],
        depth: int,
        eval_ratios: Sequence[str],
        probes: Sequence[str],
        levels: int,
        replicates: int,
        discrete: bool,
        nodes: Mapping[int, Sequence[str]],
    ) -> None:
        self.coords: dict[str, list[str] | list[int]] = {
            "encoder": list(encoders),
            "layer": list(range(depth + 1)),
            "pooling": list(POOLINGS),
            "eval_ratio": list(eval_ratios),
            "probe": list(probes),
            "target": list(KINDS),
            "level": list(range(levels + 1)),
            "node": [name for level in sorted(nodes) for name in nodes[level]],
        }
        self.depth = depth
        self.discrete = discrete
        shape = tuple(len(values) for axis, values in self.coords.items() if axis != "node")
        self.values = {name: np.full(shape, np.nan, np.float32) for name in _SCALARS}
        self.boot = np.full((*shape, replicates), np.nan, np.float32)
        self.node = np.full(
            (len(encoders), len(POOLINGS), len(KINDS), len(self.coords["node"])), np.nan, np.float32
        )
        self._first_node = dict(
            zip(sorted(nodes), np.cumsum([0, *(len(nodes[k]) for k in sorted(nodes))]), strict=False)
        )

    def add(
        self,
        encoder: str,
        layer: int,
        pooling: str,
        eval_ratio: str,
        probe: str,
        scores: Mapping[tuple[str, int], LevelScore],
    ) -> None:
        """File the scores of one reading."""
        for (kind, level), score in scores.items():
            at = self._at(encoder, layer, pooling, eval_ratio, probe, kind, level)
            found = (score.r2, score.r2_low, score.r2_high, score.accuracy, score.n)
            for name, value in zip(_SCALARS, found, strict=True):
                self.values[name][at] = value
            self.boot[at] = score.r2_boot
            if layer == self.depth and eval_ratio == "0" and probe == "ridge":
                start = self._first_node[level]
                self.node[at[0], at[2], at[5], start : start + len(score.r2_node)] = score.r2_node

    def copy_ratio(self, source: str, target: str, encoder: str) -> None:
        """Copy an encoder's scores at one evaluation ratio to another: the masks are the same ones."""
        i = self._index("encoder", encoder)
        a, b = self._index("eval_ratio", source), self._index("eval_ratio", target)
        for values in (*self.values.values(), self.boot):
            values[i, :, :, b] = values[i, :, :, a]

    @property
    def sizes(self) -> dict[str, int]:
        """Lengths of the dimensions that have no coordinate."""
        return {"replicate": self.boot.shape[-1]}

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return every variable of the kind `scores` that there is (see `cubes.io.build`)."""
        data = {**self.values, "r2_boot": self.boot, "r2_node": self.node}
        if not self.discrete:
            del data["accuracy"]
        return data

    def _index(self, axis: str, value: str | int) -> int:
        return self.coords[axis].index(value)  # type: ignore[arg-type]

    def _at(self, *reading: str | int) -> tuple[int, ...]:
        return tuple(self._index(axis, value) for axis, value in zip(self.coords, reading, strict=False))
