"""Read an encoder: every layer, pooling, evaluation mask and probe, and file the scores.

The primary reading, fixed in advance: last layer after its norm, ``global``, whole image, ridge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ProbeError
from maestrata.random import stream
from maestrata.regression.probes import ProbeProtocol, make, probe_class
from maestrata.regression.scorebook import ScoreBook
from maestrata.regression.scoring import MIN_TEST, Score, Scorer, Totals, by_level
from maestrata.regression.targets import TargetTable
from maestrata.regression.views import Encoder, EvalMasks, View
from maestrata.representation.pooling import POOLINGS
from maestrata.resampling import bootstrap_weights
from maestrata.worlds.base import World

MIN_TRAIN = 100
"""With fewer training images in which a node is visible, it gets no score."""


@dataclass
class Evaluation:
    """The images of a world on which every encoder is scored.

    Attributes
    ----------
    world : World
    images : ndarray (probe_train + test, channel, y, x)
        Of the streams ``probe-train``, then ``test``.
    train, test : TargetTable
    scorer : Scorer
    """

    world: World
    images: NDArray[np.float32]
    train: TargetTable
    test: TargetTable
    scorer: Scorer

    @classmethod
    def draw(cls, world: World, probe_train: int, test: int, replicates: int) -> Evaluation:
        """Draw images, targets and bootstrap weights: from the world alone, the same for all its models.

        Raises
        ------
        ProbeError
            If there are too few images for any score.
        """
        for key, n, least in (("probe_train", probe_train, MIN_TRAIN), ("test", test, MIN_TEST)):
            if n < least:
                raise ProbeError(f"{key}={n} must be at least {least}: no probe is scored on fewer images")
        samples = world.sample(probe_train, stream="probe-train"), world.sample(test, stream="test")
        fitted, scored = (TargetTable.of(world, sample) for sample in samples)
        scorer = Scorer(scored, bootstrap_weights(world.seed, test, replicates))
        images = np.concatenate([np.asarray(sample.images, dtype=np.float32) for sample in samples])
        return cls(world, images, fitted, scored, scorer)

    @cached_property
    def totals(self) -> Totals:
        """Totals over all test images."""
        return self.scorer.totals()

    @property
    def n_train(self) -> int:
        """Number of training images."""
        return len(self.train.values)


@dataclass
class Reader:
    """Runs probes on encoders and files their scores.

    Attributes
    ----------
    evaluation : Evaluation
    book : ScoreBook
    probes : tuple of str
    settings : mapping
        Probe -> its settings.
    last_layer : int
    shuffle_seed : int
        Seed of the permutation of labels for the encoder ``shuffled``.
    poolings : tuple of str
        Poolings that are read.
    """

    evaluation: Evaluation
    book: ScoreBook
    probes: tuple[str, ...]
    last_layer: int
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shuffle_seed: int = 0
    poolings: tuple[str, ...] = POOLINGS
    _totals: dict[str, Totals] = field(default_factory=dict, init=False, repr=False)

    def read(
        self,
        encoder: Encoder,
        masks: Iterable[EvalMasks],
        *,
        shuffled: bool = False,
        every_probe: bool = True,
    ) -> None:
        """Score every view of an encoder under each set of masks.

        Parameters
        ----------
        encoder : Encoder
        masks : iterable of EvalMasks
        shuffled : bool
            Fit the probes of the last layer to permuted latents too, and file those as the encoder
            ``shuffled``. They share the factorisation, so the control costs little.
        every_probe : bool
            Also run the probes of the last layer alone, which are those that take seconds.
        """
        for mask in masks:
            for layer, view in encoder.views(mask):
                last = layer == self.last_layer
                names = [encoder.name, "shuffled"] if shuffled and last else [encoder.name]
                known: dict[tuple[str, str], list[Score]] = {}
                for pooling, probe in self._readings(view, mask.label, last, every_probe):
                    same = view.one_vector and pooling != "aligned"
                    key = (probe, "" if same else pooling)
                    if key not in known:
                        known[key] = self._scores(view, mask, pooling, probe, len(names) > 1)
                    scores = known[key]
                    for name, score in zip(names, scores, strict=True):
                        found = by_level(score, self.evaluation.test)
                        if name == "shuffled":
                            found = {key: value for key, value in found.items() if key[0] == "latent"}
                        self.book.add(name, layer, pooling, mask.label, probe, found)

    def _readings(self, view: View, label: str, last: bool, every_probe: bool) -> Iterator[tuple[str, str]]:
        for pooling in (p for p in view.poolings if p in self.poolings):
            for name in self.probes:
                cls = probe_class(name)
                if (
                    pooling in cls.poolings
                    and ((last and every_probe) or not cls.last_layer_only)
                    and (cls.eval_ratios is None or label in cls.eval_ratios)
                ):
                    yield pooling, name

    def _scores(self, view: View, mask: EvalMasks, pooling: str, probe: str, shuffled: bool) -> list[Score]:
        """Scores against the truth of probes fitted to the labels, and to permuted ones if asked for."""
        labels, source = self._labels(shuffled)
        start = self.evaluation.n_train
        if pooling == "aligned":
            predictions = self._predict_nodes(view, mask, probe, labels, source)
            totals = self._aligned_totals(mask)
        else:
            vectors = view.vectors(pooling)
            predictions = self._make(probe).fit(vectors[:start], labels).predict(vectors[start:])
            totals = self.evaluation.totals
        scorer, columns = self.evaluation.scorer, self.evaluation.train.values.shape[1]
        scores = [scorer.score(predictions[:, :columns], totals)]
        if shuffled:
            misled = np.full((len(predictions), columns), np.nan, np.float32)
            misled[:, source[columns:]] = predictions[:, columns:]
            scores.append(scorer.score(misled, totals))
        return scores

    def _labels(self, shuffled: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """What probes are fitted to, (n_train, c), and the column of the targets that each column is, (c,).

        Permuted latents stand beside the true labels, so that both come from one factorisation.
        """
        train = self.evaluation.train
        source = np.arange(train.values.shape[1])
        if not shuffled:
            return train.values, source
        latent = np.concatenate([source[g.columns] for g in train.groups if g.kind == "latent"])
        order = stream(self.shuffle_seed, "shuffle", self.evaluation.world.seed).permutation(
            len(train.values)
        )
        labels = np.concatenate([train.values, train.values[order[:, None], latent]], axis=1)
        return labels, np.concatenate([source, latent])

    def _predict_nodes(
        self,
        view: View,
        mask: EvalMasks,
        probe: str,
        labels: NDArray[np.float32],
        source: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """Predict each node's targets from its own features, where it is not wholly masked."""
        evaluation, start = self.evaluation, self.evaluation.n_train
        out = np.zeros((len(evaluation.test.values), labels.shape[1]), np.float32)
        for level, features in enumerate(view.nodes()):
            present = mask.present(level, len(features))
            for node in range(features.shape[1]):
                columns = np.flatnonzero(np.isin(source, evaluation.train.node_columns(level, node)))
                if not len(columns):
                    continue
                train, test = (np.flatnonzero(part) for part in np.split(present[:, node], [start]))
                if len(train) < MIN_TRAIN:
                    out[:, columns] = np.nan
                    continue
                x, y = features[:, node], labels[:, columns]
                fitted = self._make(probe).fit(x[:start][train], y[train])
                out[test[:, None], columns] = fitted.predict(x[start:][test])
        return out

    def _aligned_totals(self, mask: EvalMasks) -> Totals:
        if mask.visible_ids is None:
            return self.evaluation.totals
        if mask.label not in self._totals:
            start, n = self.evaluation.n_train, len(self.evaluation.images)
            levels = self.evaluation.test.levels
            present = self.evaluation.test.per_column(
                {level: mask.present(level, n)[start:] for level in levels}
            )
            self._totals[mask.label] = self.evaluation.scorer.totals(present)
        return self._totals[mask.label]

    def _make(self, probe: str) -> ProbeProtocol:
        return make(probe, **self.settings.get(probe, {}))
