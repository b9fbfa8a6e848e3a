"""A book of scores: one array per variable over all features and probes, NaN where nothing was scored.

It holds what a file of kind `scores` is made of; the steps write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from maestrata.cubes.fields import PROGRESS
from maestrata.regression.settings import Evaluation
from maestrata.resampling import percentiles
from maestrata.scoring import Scores
from maestrata.training.progress import Progress
from maestrata.worlds.base import World

_SCALARS = {"r2": "r2", "r2_low": "low", "r2_high": "high", "accuracy": "accuracy", "n_test": "n"}
"""Variable of the file -> what it is of a `LevelScore`."""


class ScoreBook:
    """Scores over (encoder, layer, pooling, eval_ratio, probe, target, level).

    Parameters
    ----------
    world : World
    encoders : sequence of str
    depth : int
        Layers are 0 to depth.
    eval_ratios : sequence of str
    settings : Evaluation
        Its probes and poolings are axes; a brief one has latents at the last layer alone.
    """

    def __init__(
        self,
        world: World,
        encoders: Sequence[str],
        depth: int,
        eval_ratios: Sequence[str],
        settings: Evaluation,
    ) -> None:
        names = [world.node_names(level) for level in range(world.levels + 1)]
        self.coords: dict[str, list[str] | list[int]] = {
            "encoder": list(encoders),
            "layer": list(range(0 if settings.detailed else depth, depth + 1)),
            "pooling": list(settings.poolings),
            "eval_ratio": list(eval_ratios),
            "probe": list(settings.probes),
            "target": [*map(str, world.kinds if settings.detailed else world.kinds[:1])],
            "level": list(range(world.levels + 1)),
            "node": list(chain(*names)),
        }
        self.depth = depth
        self.discrete = world.discrete
        shape = tuple(len(values) for axis, values in self.coords.items() if axis != "node")
        self.values = {name: np.full(shape, np.nan, np.float32) for name in _SCALARS}
        self.boot = np.full((*shape, settings.replicates), np.nan, np.float32)
        at_nodes = [len(self.coords[axis]) for axis in ("encoder", "pooling", "target", "node")]
        self.node = np.full(at_nodes, np.nan, np.float32)
        self.progress: dict[str, float] = {}
        self._first_node = np.cumsum([0, *(len(level) for level in names)])

    def add(
        self,
        encoder: str,
        layer: int,
        pooling: str,
        eval_ratio: str,
        probe: str,
        scores: Scores,
    ) -> None:
        """File the scores of one probe on one kind of features."""
        for (kind, level), score in scores.items():
            at = self._at(encoder, layer, pooling, eval_ratio, probe, kind, level)
            for name, attribute in _SCALARS.items():
                self.values[name][at] = getattr(score, attribute)
            self.boot[at] = score.boot
            if layer == self.depth and eval_ratio == "0" and probe == "ridge":
                start = self._first_node[level]
                self.node[at[0], at[2], at[5], start : start + len(score.node)] = score.node

    def add_progress(self, progress: Progress) -> None:
        """File how far the model has learnt."""
        low, high = percentiles(progress.share[1:])
        numbers = (progress.loss[0], progress.variance[0], progress.bayes[0], progress.share[0], low, high)
        self.progress = dict(zip(PROGRESS, map(float, numbers), strict=True))

    def copy_ratio(self, source: str, target: str, encoder: str) -> None:
        """Copy an encoder's scores at one evaluation ratio to another: the masks are the same ones."""
        i = self._index("encoder", encoder)
        a, b = self._index("eval_ratio", source), self._index("eval_ratio", target)
        for values in (*self.values.values(), self.boot):
            values[i, :, :, b] = values[i, :, :, a]

    def arrays(self) -> dict[str, NDArray[np.floating]]:
        """Return every variable of the kind `scores` that there is (see `cubes.io.build`)."""
        progress = {name: np.array(value) for name, value in self.progress.items()}
        data = {**self.values, "r2_boot": self.boot, "r2_node": self.node, **progress}
        if not self.discrete:
            del data["accuracy"]
        return data

    def _index(self, axis: str, value: str | int) -> int:
        return self.coords[axis].index(value)  # type: ignore[arg-type]

    def _at(self, *place: str | int) -> tuple[int, ...]:
        return tuple(self._index(axis, value) for axis, value in zip(self.coords, place, strict=False))
