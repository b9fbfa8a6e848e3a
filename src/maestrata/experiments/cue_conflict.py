"""Two cues that agree in training and disagree at test: the class of the root, and a texture.

The texture is the sign that a coordinate of the lowest-level noise has in common over all tokens: the
coordinate a = d . noise along a fixed random direction d is given the wanted sign at every token. The noise
being symmetric, the tokens' coordinates keep the size that they have, and the image is an exact draw from the
world given that all signs are the wanted one. The root class is the side of a fixed plane on which the root
lies, or the half of the symbols that it belongs to.

A linear probe (logistic regression, as in the paper's linear evaluation) is fitted to images where both cues
agree, and so may use either; on test images where they disagree each answer is for the one or for the other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ExperimentError
from maestrata.experiments._features import encoders
from maestrata.experiments.base import Job, Table
from maestrata.experiments.measures import root_class, with_pixel_noise
from maestrata.random import stream
from maestrata.resampling import mean_bootstrap
from maestrata.standardise import Standard
from maestrata.worlds.base import Noise, Sample, World

SUMMARY = "root and texture agree in probe training and disagree at test: share of answers for the root"
SETTINGS = {"fit": 4096, "test": 2048}
RANGES = {"fit": {"least": 100}, "test": {"least": 100}}
CELLS = True
NEEDS = "textures"

_KEY = 12  # of the stream "experiment"
_DIRECTION, _HALVES, _CHOICE = 0, 1, 2

Labels = NDArray[np.int64]


def two_classes(world: World, sample: Sample) -> Labels:
    """Return the root's class of each image, 0 or 1 (n,); in a grammar a random half of the symbols is 1."""
    labels, classes = root_class(world, sample.latents[world.levels])
    if classes == 2:
        return labels
    order = stream(world.seed, "experiment", _KEY, _HALVES).permutation(classes)
    return np.isin(labels, order[: classes // 2]).astype(np.int64)


def with_texture(world: World, noise: Noise, texture: Labels) -> Noise:
    """Return the noise with the texture wanted of each image, all else as it was.

    Parameters
    ----------
    world : World
        Its tokens' noise must be normal, or its textures known.
    noise : dict of arrays (n, nodes, dim)
    texture : ndarray (n,) of int
        0 or 1: the common sign is minus or plus.

    Raises
    ------
    ExperimentError
        If the tokens' noise has no sign.
    WorldError
        If there is no such noise, and no texture.
    """
    spec = world.noise_spec.get(0)
    if spec is None:
        return world.with_texture(noise, texture)
    if spec.kind != "normal":
        raise ExperimentError(f"{world.name}: a texture needs normal noise at the tokens (level 0)")
    drawn = stream(world.seed, "experiment", _KEY, _DIRECTION)

    def turned(own: NDArray[np.floating]) -> NDArray[np.floating]:
        direction = drawn.standard_normal(own.shape[-1])
        direction = (direction / np.linalg.norm(direction)).astype(own.dtype)
        along = own @ direction  # (n, tokens)
        wanted = np.abs(along) * np.where(texture, 1, -1).astype(along.dtype)[:, None]
        return own + (wanted - along)[..., None] * direction

    return with_pixel_noise(world, noise, turned)


def run(job: Job) -> Table:
    """Measure every trained model of the world, the untrained one, pixels and principal components.

    Parameters
    ----------
    job : Job
        Its settings: `fit`, `test`, images of the streams ``probe-train`` and ``test`` (no more than the
        job's own numbers), each encoded with the cues in agreement and in conflict.

    Returns
    -------
    Table
        At level 0, shares of test images: ``root_share`` (answers for the root where the cues disagree),
        ``agreement`` (right answers where they agree), ``root_alone`` and ``texture_alone`` (right answers of
        probes fitted and scored where the two are independent), and ``mask_ratio``. Chance is one half.
    """
    world = job.world
    fit, test = job.sample("probe-train", "fit"), job.sample("test", "test")
    weights = job.weights(len(test.images))
    trained, scored = _Pair(world, fit, 0), _Pair(world, test, 1)
    for name, pair in (("fit", trained), ("test", scored)):
        if len(np.unique(pair.root)) < 2 or len(np.unique(pair.apart)) < 2:
            raise ExperimentError(f"cue_conflict: {name}={len(pair.root)} images hold one class alone")

    table = Table()
    for arm, encode in encoders(job, table, fit=trained.agree):
        for name, right in _answers(encode, trained, scored).items():
            table.add(arm, name, 0, mean_bootstrap(right, weights), n=len(right))
    return table


class _Pair:
    """Images with their cues in agreement, and the same images in conflict.

    Attributes
    ----------
    root : ndarray (n,)
        Class of the root.
    agree, conflict : ndarray (n, channel, y, x)
        With the texture of that class, and with the other.
    apart : ndarray (n,)
        A fair coin an image: in which of the two it is taken where the cues are to be independent.
    """

    def __init__(self, world: World, sample: Sample, index: int) -> None:
        self.root = two_classes(world, sample)
        self.agree, self.conflict = (
            np.asarray(world.generate(with_texture(world, sample.noise, texture)).images)
            for texture in (self.root, 1 - self.root)
        )
        self.apart = stream(world.seed, "experiment", _KEY, _CHOICE, index).integers(0, 2, len(self.root))

    @property
    def texture(self) -> Labels:
        """Texture of the images in which the cues are independent, (n,)."""
        return np.where(self.apart, 1 - self.root, self.root)


def _answers(
    encode: Callable[[NDArray[np.float32]], NDArray[np.float32]], trained: _Pair, scored: _Pair
) -> dict[str, NDArray[np.bool_]]:
    """Whether each test image was answered as the quantity's name says."""
    agree, conflict = (encode(images) for images in (trained.agree, trained.conflict))
    test_agree, test_conflict = (encode(images) for images in (scored.agree, scored.conflict))
    mixed = np.where(trained.apart[:, None], conflict, agree)
    test_mixed = np.where(scored.apart[:, None], test_conflict, test_agree)
    both = _Probe(agree, trained.root)
    return {
        "root_share": both.answer(test_conflict) == scored.root,
        "agreement": both.answer(test_agree) == scored.root,
        "root_alone": _Probe(mixed, trained.root).answer(test_mixed) == scored.root,
        "texture_alone": _Probe(mixed, trained.texture).answer(test_mixed) == scored.texture,
    }


class _Probe:
    """Logistic regression on standardised features."""

    def __init__(self, features: NDArray[np.float32], labels: Labels) -> None:
        from sklearn.linear_model import LogisticRegression

        self._standard = Standard.of(features)
        self._model = LogisticRegression(C=1.0, max_iter=2000).fit(self._standard.apply(features), labels)

    def answer(self, features: NDArray[np.float32]) -> Labels:
        """Return the class told of each image (n,)."""
        return np.asarray(self._model.predict(self._standard.apply(features)))
