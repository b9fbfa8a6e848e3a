"""Sets of images as worlds: no latents, no noise; of each image its class, where it has one.

A set is read from a source, some images at a time, so that memory does not grow with it. Everything is a
function of the images themselves:

- **Splits.** An image belongs to the test images if a hash of its content and of the world seed lies below
  the share `test`, else to the training images. What else is in the set does not matter, and copies of an
  image are on one side. World seeds are splits.
- **Normalisation.** Each channel has mean 0 and variance 1 over all images of the set.
- **Graph.** The binary tree over the tokens, or one that is estimated from the training images; nothing is
  known of its nodes. The class of an image is filed at the root, whose block is the whole image.

Models are trained on images of the training split, drawn with replacement and augmented. Probes are fitted on
images of the training split, each once and as it is, and scored on those of the test split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import WorldError, one_of
from maestrata.graphs import LatentGraph
from maestrata.random import stream as named_stream
from maestrata.worlds._augment import Augmentation, augment, fitted_shape, refit
from maestrata.worlds._source import Source
from maestrata.worlds._survey import survey
from maestrata.worlds.base import GREY_LEVELS, Noise, Sample, Target, TargetKind, World
from maestrata.worlds.checks import check_number
from maestrata.worlds.maps import one_hot

if TYPE_CHECKING:
    from maestrata.worlds.latent_tree import Tree

DIGITS = 16  # of the digest of a set
TREES = ("grid", "estimated")
TREE_TOKENS, TREE_IMAGES = 64, 4096  # most that a tree is estimated over, and from


class ImageWorld(World):
    """Base of the worlds whose images are given. The settings that they share are declared here.

    A subclass takes those that it does not name as ``**shared``, and passes them on.

    Parameters
    ----------
    seed : int
        Which split, and which draws.
    source : Source
    own : mapping, optional
        Further settings of the subclass, for `World.settings`.
    token_pixels : int
        Side of a token.
    fit : str
        What is done with images that no dyadic grid of tokens covers: ``exact`` refuses them, ``crop`` takes
        the largest such grid from the middle, ``pad`` repeats the outer pixels up to the smallest.
    test : float
        Share of test images.
    tree : str
        Tree over the tokens that the theory is of: that of the ``grid``, or ``estimated`` from the training
        images where these are sure of it (`maestrata.worlds.latent_tree`), over at most 64 tokens.
    shift, flip, crop
        How training images vary, as of `maestrata.worlds._augment.Augmentation`.
    data : mapping, optional
        What `data` is, where that is known: then images are not read to find out, and must be the same ones.

    Attributes
    ----------
    data : dict
        The set in plain values: ``digest`` of its content and classes, ``images``, ``classes``, ``mean`` and
        ``deviation`` of each channel, and the ``low`` and ``high`` end of all values.
    values : dict
        Number of values of each factor that is known, its kind of target: ``class``; empty without classes.

    Raises
    ------
    WorldError
        If the images cannot be read, or are no such set; the message names the first that is wrong.
    """

    data: dict[str, Any]
    discrete = True
    latent: ClassVar[bool] = False
    kinds: ClassVar[tuple[TargetKind, ...]] = ("class",)
    stackable = False

    def __init__(
        self,
        seed: int,
        source: Source,
        own: Mapping[str, Any] | None = None,
        *,
        token_pixels: int = 8,
        fit: str = "exact",
        test: float = 0.25,
        tree: str = "grid",
        shift: int = 0,
        flip: bool = False,
        crop: float = 1.0,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        check_number(self.name, "test", test, 0.01, 0.99)
        check_number(self.name, "token_pixels", token_pixels, 1, 1024, integer=True)
        self.augmentation = Augmentation(shift, flip, crop)
        self.channels = source.shape[0]
        height, width = fitted_shape(f"{self.name}: {source.where}", source.shape[1:], token_pixels, fit)
        tokens = (height // token_pixels) * (width // token_pixels)
        if tree not in TREES:
            raise WorldError(f"{self.name}: tree={one_of(tree, TREES)}")
        if tree == "estimated" and tokens > TREE_TOKENS:
            raise WorldError(
                f"{self.name}: tree='estimated' needs at most {TREE_TOKENS} tokens an image, and there are "
                f"{tokens}: set a larger token_pixels, or tree: grid"
            )
        shared = {"fit": fit, "test": test, "tree": tree, **self.augmentation.settings(self.name, height)}
        super().__init__(
            seed,
            leaves=tokens,
            token_pixels=token_pixels,
            settings={**(own or {}), **shared},
        )
        self.source = source
        self._digests = [source.digest(row) for row in range(len(source))]
        digest = self._digest()
        if data is not None and data.get("digest") != digest:
            raise WorldError(
                f"{self.name}: the images of {source.where} are not those of the plan (digest {digest}, not "
                f"{data.get('digest')}): they have changed since; plan again"
            )
        self.data = dict(data) if data is not None else self._survey(digest)
        mean, deviation = (np.asarray(self.data[key], np.float32) for key in ("mean", "deviation"))
        self._mean, self._deviation = mean[:, None, None], deviation[:, None, None]
        self.dims = dict.fromkeys(range(self.levels + 1), 1)
        self.values: dict[TargetKind, int] = {}
        if source.labels is not None:
            self.n_symbols = {self.levels: len(source.classes)}
            self.values = {"class": len(source.classes)}
        self._split()
        if not len(self.train_rows) or not len(self.test_rows):
            raise WorldError(
                f"{self.name}: {source.where} holds {len(source)} images, {len(self.train_rows)} for "
                f"training and {len(self.test_rows)} for testing: at least one of each is needed"
            )

    # what the set is

    def _digest(self) -> str:
        source = self.source
        labels = [""] * len(source)
        if source.labels is not None:
            labels = [source.classes[k] for k in source.labels]
        lines = sorted(d.hex() + label for d, label in zip(self._digests, labels, strict=True))
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]

    def _survey(self, digest: str) -> dict[str, Any]:
        return {"digest": digest, **survey(self.name, self.source)}

    # splits

    def _split(self) -> None:
        """Set the positions of the training images and of the test images, each in the order of a hash."""
        salt = self.seed.to_bytes(4, "big")
        heads = [hashlib.sha256(salt + digest).digest()[:8] for digest in self._digests]
        rank = np.frombuffer(b"".join(heads), ">u8")
        order = np.argsort(rank, kind="stable")
        first = int(np.searchsorted(rank[order], np.uint64(self.settings["test"] * 2.0**64)))
        self.train_rows, self.test_rows = order[first:], order[:first]
        self.images = len(self.train_rows)

    @property
    def offers(self) -> frozenset[str]:
        """What an experiment can ask for (see `World.offers`)."""
        return frozenset({"images", "classes"} if self.n_symbols else {"images"})

    def with_seed(self, seed: int) -> ImageWorld:
        """Return the same set, split by another seed, without reading it again."""
        other = copy(self)
        other.seed = seed
        other.__dict__.pop("tree", None)  # of the training images of the other split
        other._split()
        return other

    @cached_property
    def tree(self) -> Tree | None:
        """The estimated tree, or that of the grid in its place; None where none was asked for."""
        if self.settings["tree"] == "grid":
            return None
        from maestrata.worlds.latent_tree import estimate_tree  # slow to import
        from maestrata.worlds.token_features import token_features

        images = self.sample(min(self.images or TREE_IMAGES, TREE_IMAGES), "theory").images
        waves = named_stream(self.seed, "probe")
        return estimate_tree(token_features(images, self.grid, self.token_pixels, waves), self.seed)

    @property
    def graph(self) -> LatentGraph:
        """The tree over the tokens."""
        return super().graph if self.tree is None else self.tree.graph

    def check_counts(self, probe_train: int, test: int) -> None:
        """Refuse more images than there are to fit probes on, or to score them on.

        Raises
        ------
        WorldError
            Its `key` is the setting of the evaluation that is too large.
        """
        there = {"probe_train": (probe_train, self.train_rows), "test": (test, self.test_rows)}
        for key, (wanted, rows) in there.items():
            if wanted > len(rows):
                raise WorldError(
                    f"{key}={wanted} must be at most {len(rows)}: {self.name} of {self.source.where} has "
                    f"{len(self.train_rows)} training and {len(self.test_rows)} test images at world seed "
                    f"{self.seed}"
                ).at(key)

    # images

    def _sampled(self, n: int, stream: str, index: tuple[int, ...], rng: np.random.Generator) -> Sample:
        """Return `n` images for `World.sample`.

        ``train`` draws from the training images and augments; ``probe-train`` and ``test`` are the first `n`
        of their split; ``theory`` goes through the training images, ``display`` through the test images,
        batch after batch; any other stream draws from the training images.
        """
        self.check_counts(n if stream == "probe-train" else 0, n if stream == "test" else 0)
        if stream in ("test", "display", "probe-train", "theory"):
            rows = self.test_rows if stream in ("test", "display") else self.train_rows
            start = index[0] * n if index and stream == "theory" else 0
            rows = rows[np.arange(start, start + n) % len(rows)]
        else:
            rows = self.train_rows[rng.integers(0, len(self.train_rows), n)]
        images = self.read(rows)
        if stream == "train":
            images = augment(images, self.augmentation, rng)
        labels = self.source.labels
        return Sample(images, {} if labels is None else {self.levels: labels[rows, None, None]}, {})

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read images by position, cropped or padded, normalised: (n, channel, y, x)."""
        return np.ascontiguousarray(refit(self.normalised(self.source.read(rows)), self.image_shape[1:]))

    def normalised(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Return images (n, channel, y, x) as the set holds them with channels of mean 0 and variance 1."""
        return np.asarray((images.astype(np.float32) - self._mean) / self._deviation)

    def grey(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return normalised images in grey levels: 0 is the lowest value of the set, 255 the highest."""
        low, high = self.data["low"], self.data["high"]
        values = images.astype(np.float64) * self._deviation + self._mean
        return np.asarray((values - low) * (GREY_LEVELS / (high - low)))

    def targets(self, sample: Sample) -> list[Target]:
        """Return the class of the whole image, one-hot, where images have one, and its further factors."""
        if not sample.latents:
            return []
        factors = np.asarray(sample.latents[self.levels])[:, 0].T
        return [
            Target(kind, self.levels, 0, one_hot(labels, self.values[kind]), labels)
            for kind, labels in zip(self.kinds, factors, strict=True)
        ]

    # what a set of images has not

    def draw(self, n: int, rng: np.random.Generator, dtype: Any = np.float32) -> Noise:
        """Raise WorldError: there is no noise."""
        raise WorldError(f"{self.name}: images that are given have no noise that could be drawn anew")

    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Raise WorldError: images are read, not made."""
        raise WorldError(f"{self.name}: images that are given cannot be made from noise")
