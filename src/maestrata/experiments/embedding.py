"""t-SNE of representations, coloured by the class of the root, and a number to go with the picture.

A picture of t-SNE shows clusters where there are none and hides distances. The number is the purity of
neighbourhoods: of the k nearest neighbours of an image, the share that has its class, in the representation
itself and in its embedding, against the share among all other images.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ExperimentError
from maestrata.experiments._features import PLAIN, encoders
from maestrata.experiments.base import Job, Table
from maestrata.experiments.measures import root_class
from maestrata.random import integer_seed
from maestrata.regression.probes.kernel_ridge import squared_distances
from maestrata.resampling import mean_bootstrap

SUMMARY = "t-SNE of test images' representations by masking ratio, and purity of their neighbourhoods by root"
SETTINGS = {
    "images_embedded": 600,
    "neighbours": 10,
    "perplexity": 30.0,
    "steps": 500,
    "shown_world_seed": 100,
}
RANGES = {
    "images_embedded": {"least": 10},
    "neighbours": {"least": 1, "below": ["images_embedded", "test"]},
    "perplexity": {"above": 0, "below": ["images_embedded", "test"]},
    "steps": {"least": 250, "most": 1_000_000},
    "shown_world_seed": {"least": 0, "below": 4294967296},
}
CELLS = True
NEEDS = "classes"
PATCHES = "1x1"

_KEY = 3  # of the stream "experiment"


def embed(vectors: NDArray[np.floating], perplexity: float, steps: int, seed: int) -> NDArray[np.float32]:
    """Embed vectors (n, p) in the plane by t-SNE (van der Maaten and Hinton 2008): (n, 2).

    It starts from the first two principal components, and draws nothing else at random, so that it shows the
    same picture in every run.

    Raises
    ------
    ExperimentError
        If the perplexity is not below the number of vectors, or there are fewer than 250 steps.
    """
    from sklearn.manifold import TSNE

    if not 0 < perplexity < len(vectors):
        raise ExperimentError(
            f"embedding: perplexity={perplexity:g} must lie above 0 and below the {len(vectors)} images"
        )
    if steps < 250:
        raise ExperimentError(f"embedding: steps={steps} must be at least 250, those of early exaggeration")
    tsne = TSNE(2, perplexity=perplexity, max_iter=steps, init="pca", random_state=seed % 2**32, n_jobs=1)
    return np.asarray(tsne.fit_transform(np.asarray(vectors, np.float32)), np.float32)


def neighbour_share(
    points: NDArray[np.floating], labels: NDArray[np.int64], neighbours: int
) -> NDArray[np.float64]:
    """Return, of each point's nearest neighbours, the share that has its label.

    Parameters
    ----------
    points : array (n, p)
    labels : ndarray (n,)
    neighbours : int
        1 to n - 1; Euclidean distance, ties by order.

    Returns
    -------
    ndarray (n,)

    Examples
    --------
    >>> neighbour_share(np.array([[0.0], [1.0], [5.0], [6.0]]), np.array([0, 0, 1, 0]), 1).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    n = len(points)
    if not 1 <= neighbours < n:
        raise ExperimentError(f"embedding: neighbours={neighbours} must lie in 1..{n - 1} for {n} images")
    centred = points - points.mean(0, dtype=np.float64)
    distance = squared_distances(centred, centred)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :neighbours]
    return np.asarray((labels[nearest] == labels[:, None]).mean(1))


def run(job: Job) -> Table:
    """Embed the test images as the models of one-token patches see them, and as pixels.

    Parameters
    ----------
    job : Job
        Its settings: `images_embedded`, test images; `neighbours`; `perplexity` and `steps` of t-SNE;
        the `shown_world_seed` whose points are kept.

    Returns
    -------
    Table
        At level 0. Arms of encoders: ``purity`` and ``purity_embedded``, and ``mask_ratio``; arm ``chance``:
        ``purity``, the share of other images of the same class. Arms ``ENCODER/pNNN``: ``x``, ``y`` and
        ``root_class`` of the points.
    """
    world, settings = job.world, job.settings
    test = job.sample("test", "images_embedded")
    labels, classes = root_class(world, test.latents[world.levels])
    n, k = len(labels), int(settings["neighbours"])
    weights = job.weights(n)
    count = np.bincount(labels, minlength=classes)
    shown = world.seed == int(settings["shown_world_seed"])
    digits = len(str(n - 1))

    table = Table()
    table.add("chance", "purity", 0, float((count * (count - 1)).sum() / (n * (n - 1))), n=n)
    for arm, encode in encoders(job, table, PLAIN, fit=np.asarray(test.images)):
        vectors = encode(test.images)
        seed = integer_seed(world.seed, "experiment", _KEY)
        points = embed(vectors, float(settings["perplexity"]), int(settings["steps"]), seed)
        for name, where in (("purity", vectors), ("purity_embedded", points)):
            table.add(arm, name, 0, mean_bootstrap(neighbour_share(where, labels, k), weights), n)
        if shown:
            for i, ((x, y), label) in enumerate(zip(points, labels, strict=True)):
                for name, value in (("x", x), ("y", y), ("root_class", label)):
                    table.add(f"{arm}/p{i:0{digits}d}", name, 0, float(value))
    return table
