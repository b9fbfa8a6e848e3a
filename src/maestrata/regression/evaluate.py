"""Score an encoder: every layer, pooling, evaluation mask and probe.

The primary features, fixed in advance: last layer after its norm, ``aligned``, whole image; their probe is
ridge.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from maestrata.bounds import MOST_COVARIANCE
from maestrata.random import stream
from maestrata.regression.controls import reduced
from maestrata.regression.data import MIN_TRAIN, Encode, EvalMasks, Features, ProbeData, Vectors
from maestrata.regression.probes import ProbeProtocol, make, probe_class
from maestrata.regression.scorebook import ScoreBook
from maestrata.regression.settings import Evaluation
from maestrata.scoring import Scorer, Scores


@dataclass
class Evaluator:
    """Runs probes on features and files their scores.

    Attributes
    ----------
    data : ProbeData
    settings : Evaluation
    seed : int
        Of the permutation of labels for the encoder ``shuffled``.
    """

    data: ProbeData
    settings: Evaluation
    seed: int = 0
    _scorers: dict[str, Scorer] = field(default_factory=dict, init=False, repr=False)

    def score(
        self,
        book: ScoreBook,
        name: str,
        encode: Encode,
        masks: Iterable[EvalMasks],
        *,
        brief: bool = False,
        shuffled: str | None = None,
    ) -> None:
        """Score all features of an encoder under each set of masks.

        Parameters
        ----------
        book : ScoreBook
        name : str
            Under which scores are filed there.
        encode : callable
        masks : iterable of EvalMasks
        brief : bool
            Leave out the probes of the last layer alone, which are those that take seconds.
        shuffled : str, optional
            Fit the probes of the last layer to permuted latents too, and file those scores under this name.
            They share the factorisation, so the control costs little.
        """
        names = [name] if shuffled is None else [name, shuffled]
        for mask in masks:
            self._score(book, names, encode, mask, brief)

    def _score(self, book: ScoreBook, names: list[str], encode: Encode, mask: EvalMasks, brief: bool) -> None:
        held: Features | None = None
        scores: dict[str, list[Scores]] = {}
        for layer, pooling, features in encode(mask, self.settings.poolings):
            last = layer == book.depth
            filed = names if last else names[:1]
            if features is not held:
                held, scores = features, {}
            wanted = [p for p in self.settings.probes if _runs(p, pooling, mask, last, brief)]
            scores |= self.scores(
                features, pooling, mask, [p for p in wanted if p not in scores], len(filed) > 1
            )
            for probe in wanted:
                for name, levels in zip(filed, scores[probe], strict=True):
                    book.add(name, layer, pooling, mask.label, probe, levels)

    def scores(
        self,
        features: Features,
        pooling: str,
        mask: EvalMasks,
        probes: Sequence[str],
        shuffled: bool = False,
    ) -> dict[str, list[Scores]]:
        """Scores by probe, against the truth: fitted to the labels, and to permuted ones if asked for."""
        if isinstance(features, np.ndarray) and pooling == "concat":
            features = reduced(features, self.data.n_train)
        labels, source = self._labels(shuffled)
        if isinstance(features, np.ndarray):
            scorer, start = self.data.scorer, self.data.n_train
            predictions: Iterable[tuple[str, Vectors]] = (
                (probe, self._make(probe).fit(features[:start], labels).predict(features[start:]))
                for probe in probes
            )
        else:
            scorer = self._scorer(mask)
            predictions = self._predict_nodes(features, mask, probes, labels, source).items()
        columns, decides = self.data.train.values.shape[1], self.data.world.kinds[0]
        scores = {}
        for probe, predicted in predictions:
            scores[probe] = [scorer.score(predicted[:, :columns])]
            if shuffled:
                misled = np.full((len(predicted), columns), np.nan, np.float32)
                misled[:, source[columns:]] = predicted[:, columns:]
                levels = scorer.score(misled)
                scores[probe].append({key: score for key, score in levels.items() if key[0] == decides})
                del misled
            del predicted  # before the next probe's are there
        return scores

    def _labels(self, shuffled: bool) -> tuple[Vectors, NDArray[np.int64]]:
        """What probes are fitted to, (n_train, c), and the column of the targets that each column is, (c,).

        Permuted latents stand to the right of the true labels, so that both come from one factorisation.
        """
        train = self.data.train
        source = np.arange(train.values.shape[1])
        if not shuffled:
            return train.values, source
        latent = np.array(train.columns(self.data.world.kinds[0]), np.int64)
        order = stream(self.seed, "shuffle", self.data.world.seed).permutation(len(train.values))
        labels = np.concatenate([train.values, train.values[order[:, None], latent]], axis=1)
        return labels, np.concatenate([source, latent])

    def _predict_nodes(
        self,
        features: Iterator[Vectors],
        mask: EvalMasks,
        probes: Sequence[str],
        labels: Vectors,
        source: NDArray[np.int64],
    ) -> dict[str, Vectors]:
        """Predict each node's targets from its own features, where it is not wholly masked, by probe."""
        start, n = self.data.n_train, len(self.data.images)
        out = {probe: np.zeros((n - start, labels.shape[1]), np.float32) for probe in probes}
        level = 0  # not by enumerate, which holds the features of a level while those of the next are made
        for nodes in features if probes else ():
            self._predict_level(out, level, nodes, mask.present(level, n), labels, source)
            del nodes
            level += 1
        return out

    def _predict_level(
        self,
        out: dict[str, Vectors],
        level: int,
        nodes: Vectors,
        present: NDArray[np.bool_],
        labels: Vectors,
        source: NDArray[np.int64],
    ) -> None:
        start = self.data.n_train
        for node in range(nodes.shape[1]):
            columns = np.flatnonzero(np.isin(source, self.data.train.columns(level=level, node=node)))
            if not len(columns):
                continue
            train, test = (_rows(part) for part in np.split(present[:, node], [start]))
            x, y = nodes[:, node], labels[:, columns]
            if x.ndim == 2:  # all pixels under the root of a large image
                x = reduced(x, start, MOST_COVARIANCE)
            for probe, predicted in out.items():
                if present[:start, node].sum() < MIN_TRAIN:
                    predicted[:, columns] = np.nan
                    continue
                fitted = self._make(probe).fit(x[:start][train], y[train])
                predicted[np.arange(len(predicted))[test][:, None], columns] = fitted.predict(x[start:][test])

    def _scorer(self, mask: EvalMasks) -> Scorer:
        if mask.label not in self._scorers:
            self._scorers[mask.label] = self.data.scorer_under(mask)
        return self._scorers[mask.label]

    def _make(self, probe: str) -> ProbeProtocol:
        return make(probe, **self.settings.probe_settings.get(probe, {}))


def _rows(present: NDArray[np.bool_]) -> slice | NDArray[np.int64]:
    """Rows that are present: all without a copy, where all are."""
    return slice(None) if present.all() else np.flatnonzero(present)


def _runs(probe: str, pooling: str, mask: EvalMasks, last: bool, brief: bool) -> bool:
    """Whether a probe declares that it is run there."""
    cls = probe_class(probe)
    return (
        pooling in cls.poolings
        and ((last and not brief) or not cls.last_layer_only)
        and (cls.eval_ratios is None or mask.label in cls.eval_ratios)
    )
