"""How alike the representations of two models are: linear CKA, without the bias of few images.

CKA is the normalised Hilbert-Schmidt independence criterion of two representations of the same images
(Kornblith et al. 2019). The plain estimate is too high, by about the number of features over the number of
images; here HSIC is the unbiased estimator of Song et al. (2012), which for linear kernels and features
centred over the n images, with rows x_i and y_i, is up to a factor that cancels

    |X'Y|_F^2 - n / (n - 2) sum_i |x_i|^2 |y_i|^2 + |X|_F^2 |Y|_F^2 / ((n - 1)(n - 2)).

Two models of one training seed share their initial weights and the order of their images. What is alike for
that reason alone is told by models of other training seeds, where there are any.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from maestrata.cells import answers
from maestrata.errors import ExperimentError
from maestrata.experiments._features import PLAIN, cells_of
from maestrata.experiments.base import Job, Table, TrainedCell
from maestrata.representation.encode import last_layer

SUMMARY = "linear CKA between models of different masking ratios, and of equal ratio and other seed"
SETTINGS = {"test": 2048}
RANGES = {"test": {"least": 40}}  # two images for each group of the jackknife
CELLS = True
SEEDS = "all"

GROUPS = 20
"""Groups of images that are left out in turn for the jackknife interval."""

_Z = 1.96

# Pairs of ratios that claim 8 compares, under the names of its quantities.
_PAIRS = {"cka_10_90": (0.1, 0.9), "cka_50_90": (0.5, 0.9), "cka_10_50": (0.1, 0.5)}

Floats = NDArray[np.float64]


def cka(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Return the debiased linear CKA of two representations.

    Parameters
    ----------
    x, y : array (n, p), (n, q)
        Of the same n >= 4 images.

    Returns
    -------
    float
        1 for equal geometry, about 0 (of either sign) for independent ones.

    Raises
    ------
    ExperimentError
        If the two are not of the same images, or one does not vary.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0], [4.0, 2.0], [3.0, 3.0]])
    >>> round(cka(x, 3 * x[:, ::-1] + 1), 6)
    1.0
    """
    return _Compared({"x": x, "y": y}).one("x", "y")


class _Compared:
    """Representations of the same images, centred, with what each contributes to HSIC by itself."""

    def __init__(self, representations: dict[str, NDArray[np.floating]]) -> None:
        rows = {len(x) for x in representations.values()}
        if len(rows) != 1 or min(rows) < 4 or any(x.ndim != 2 for x in representations.values()):
            shapes = ", ".join(str(x.shape) for x in representations.values())
            raise ExperimentError(
                f"representations of shapes {shapes} must be (n, p) of the same n >= 4 images"
            )
        self._n = rows.pop()
        self._x = {name: x - x.mean(0, dtype=np.float64) for name, x in representations.items()}
        self._norms = {name: np.einsum("np,np->n", x, x) for name, x in self._x.items()}
        self._own = {name: self._hsic(name, name) for name in self._x}
        still = [name for name, own in self._own.items() if not own > 0]
        if still:
            raise ExperimentError(f"representation {still[0]} does not vary over the {self._n} images")

    def _hsic(self, one: str, other: str) -> float:
        n, norms, others = self._n, self._norms[one], self._norms[other]
        cross = np.square(self._x[one].T @ self._x[other]).sum()
        corrected = cross - n / (n - 2) * (norms @ others)
        return float(corrected + norms.sum() * others.sum() / ((n - 1) * (n - 2)))

    def one(self, x: str, y: str) -> float:
        """CKA of two of them."""
        return self._hsic(x, y) / (self._own[x] * self._own[y]) ** 0.5


@dataclass(frozen=True)
class _Pair:
    """Two models, of which number to file their CKA, or its mean over pairs that share arm and quantity."""

    arm: str
    quantity: str
    one: str
    other: str


def run(job: Job) -> Table:
    """Compare every two trained models of equal mask patches, and each with the untrained one.

    Parameters
    ----------
    job : Job
        Its setting: `test` images that are encoded. Its cells may be of several training seeds.

    Returns
    -------
    Table
        At level 0, for mask patches of one token, arms such as ``v14-v2`` (visible counts, as text sorts
        them) and ``v2-random_init``; other patches have theirs before them, ``2x1/v4-v6``. ``cka``: both of
        the job's training seed. ``cka_other_seed``: one of the job's seed, the other of another one; also at
        ``v14-v14``. Arm ``ratios``: ``cka_10_90``, ``cka_50_90``, ``cka_10_50`` and ``cka_same_ratio``, over
        mask patches of one token, of different seeds throughout where there are several; with one seed
        the last is not there, and the others share their initial weights. Intervals: jackknife over images.
    """
    cells = [cell for cell in cells_of(job) if cell.seed == job.seed]
    others = [cell for cell in job.cells if cell.seed != job.seed]
    if not cells:
        raise ExperimentError(
            f"similarity: no cell of training seed {job.seed} among the job's {len(job.cells)}"
        )
    test = job.sample("test", "test")
    features: dict[str, NDArray[np.floating]] = {
        _key(c): last_layer(c.model(), test.images) for c in (*cells, *others)
    }
    features["random_init"] = last_layer(job.initial().eval(), test.images)

    pairs = [*_within(cells), *_across(cells, others), *_named(cells, others)]
    grouped: dict[tuple[str, str], list[_Pair]] = {}
    for pair in pairs:
        grouped.setdefault((pair.arm, pair.quantity), []).append(pair)
    values, without = _all(features, grouped), []
    order = np.arange(len(test.images)) % GROUPS
    for group in range(GROUPS):
        kept = order != group
        without.append(_all({name: x[kept] for name, x in features.items()}, grouped))
    deviation = np.sqrt((GROUPS - 1) * np.var(without, axis=0))
    table = Table()
    for (arm, quantity), value, spread in zip(grouped, values, deviation, strict=True):
        ends = value - _Z * spread, value + _Z * spread
        table.add(arm, quantity, 0, value, len(test.images), ends)
    return table


def _all(
    features: dict[str, NDArray[np.floating]], grouped: dict[tuple[str, str], list[_Pair]]
) -> list[float]:
    compared = _Compared(features)
    return [float(np.mean([compared.one(p.one, p.other) for p in pairs])) for pairs in grouped.values()]


def _key(cell: TrainedCell) -> str:
    return f"{cell.arm}/s{cell.seed}"


def _arm(one: TrainedCell, other: TrainedCell | None = None) -> str:
    before = "" if one.patches.label == PLAIN else f"{one.patches.label}/"
    names = [f"v{one.visible}", "random_init" if other is None else f"v{other.visible}"]
    return before + "-".join(names if other is None else sorted(names))


def _within(cells: list[TrainedCell]) -> Iterator[_Pair]:
    for one, other in combinations(cells, 2):
        if one.patches == other.patches:
            yield _Pair(_arm(one, other), "cka", _key(one), _key(other))
    for cell in cells:
        yield _Pair(_arm(cell), "cka", _key(cell), "random_init")


def _across(cells: list[TrainedCell], others: list[TrainedCell]) -> Iterator[_Pair]:
    for one in cells:
        for other in others:
            if one.patches == other.patches:
                yield _Pair(_arm(one, other), "cka_other_seed", _key(one), _key(other))


def _named(cells: list[TrainedCell], others: list[TrainedCell]) -> Iterator[_Pair]:
    """Pairs of the ratios that claim 8 names."""
    own = [cell for cell in cells if cell.patches.label == PLAIN]
    second = [cell for cell in others if cell.patches.label == PLAIN]
    for one in own:
        for other in second or own:
            for quantity, pair in _PAIRS.items():
                if _are(one, other, pair) or (second and _are(other, one, pair)):
                    yield _Pair("ratios", quantity, _key(one), _key(other))
        for other in second:
            named = any(answers(one.mask_ratio, (0.1, 0.5, 0.9)))
            if one.visible == other.visible and named:
                yield _Pair("ratios", "cka_same_ratio", _key(one), _key(other))


def _are(one: TrainedCell, other: TrainedCell, ratios: tuple[float, float]) -> bool:
    return all(answers((one.mask_ratio, other.mask_ratio), ratios))
