"""Masks: which patches of tokens are visible. Used by theory, inference, training and evaluation alike.

A mask is drawn in mask patches of ``height x width`` tokens. The number of visible patches is fixed:
``floor(N * (1 - r) + 1/2)``, kept in [1, N - 1], so the realised ratio can differ from the asked one
and two asked ratios may be the same mask distribution. Cells are keyed by the visible count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from maestrata.cells import PatchShape
from maestrata.errors import MaskError, one_of
from maestrata.geometry import TokenGrid
from maestrata.random import stream


@dataclass(frozen=True)
class MaskPatches:
    """A partition of a token grid into mask patches.

    Parameters
    ----------
    grid : TokenGrid
    height, width : int
        Patch size in tokens; they divide the grid.
    offset : bool
        Shift the partition by half a patch in each direction in which the patch is longer than one
        token; what leaves the grid wraps round. An offset partition does not follow the tree.

    Raises
    ------
    MaskError
        If the patch does not divide the grid, covers it whole, or is one token and offset.
    """

    grid: TokenGrid
    height: int = 1
    width: int = 1
    offset: bool = False

    def __post_init__(self) -> None:
        g = self.grid
        if self.height < 1 or self.width < 1 or g.height % self.height or g.width % self.width:
            raise MaskError(f"mask patch {self.label} must divide the {g.height}x{g.width} token grid")
        if self.n_patches < 2:
            raise MaskError(
                f"mask patch {self.label} covers the {g.height}x{g.width} token grid: nothing to choose"
            )
        if self.offset and self.size == 1:
            raise MaskError(f"mask patch {self.label}: a patch of one token has no offset twin")

    @classmethod
    def parse(cls, label: str, grid: TokenGrid) -> MaskPatches:
        """Read a label such as ``2x1``, or ``2x1o`` for its offset twin."""
        return cls(grid, *PatchShape.parse(label))

    @property
    def label(self) -> str:
        """Name of the partition: ``HxW``, with an ``o`` where it is offset."""
        return PatchShape(self.height, self.width, self.offset).label

    @property
    def size(self) -> int:
        """Tokens in a patch."""
        return self.height * self.width

    @property
    def n_patches(self) -> int:
        """Number of patches, N."""
        return self.grid.n_tokens // self.size

    @property
    def level(self) -> int | None:
        """Level of the subtrees that the patches are; None where they do not follow the tree."""
        level = self.size.bit_length() - 1
        aligned = not self.offset and self.size == 1 << level
        return level if aligned and self.grid.block_shape(level) == (self.height, self.width) else None

    @property
    def patch_of_token(self) -> NDArray[np.int64]:
        """Patch that each token belongs to, shape (n_tokens,)."""
        y, x = np.divmod(np.arange(self.grid.n_tokens), self.grid.width)
        if self.offset:
            y, x = (y - self.height // 2) % self.grid.height, (x - self.width // 2) % self.grid.width
        return (y // self.height) * (self.grid.width // self.width) + x // self.width

    @property
    def tokens(self) -> NDArray[np.int64]:
        """Tokens of each patch, shape (n_patches, size)."""
        return np.argsort(self.patch_of_token, kind="stable").reshape(self.n_patches, self.size)


def visible_count(n_patches: int, mask_ratio: float) -> int:
    """Return the number of visible patches, ``floor(N (1 - r) + 1/2)`` kept in [1, N - 1].

    The ratio is read as the decimal that was written, so that 16 (1 - .9) + 1/2 is 2.1 and not
    something just below. (Flooring ``N (1 - r)``, as published code does, realises another ratio
    than the one asked for.)

    Examples
    --------
    >>> [visible_count(16, r) for r in (.1, .25, .5, .75, .9)]
    [14, 12, 8, 4, 2]
    """
    if isinstance(mask_ratio, bool) or not isinstance(mask_ratio, int | float) or not 0 < mask_ratio < 1:
        raise MaskError(f"mask_ratio={mask_ratio!r} must lie in (0, 1)")
    if n_patches < 2:
        raise MaskError(f"n_patches={n_patches} must be at least 2")
    exact = n_patches * (1 - Fraction(str(float(mask_ratio)))) + Fraction(1, 2)
    return min(max(math.floor(exact), 1), n_patches - 1)


def realised_ratio(n_patches: int, visible: int) -> float:
    """Return the ratio that is masked when `visible` of `n_patches` patches are visible."""
    if not 1 <= visible < n_patches:
        raise MaskError(f"visible={visible} must lie in 1..{n_patches - 1} for {n_patches} patches")
    return 1 - visible / n_patches


@dataclass(frozen=True)
class MaskSweep:
    """Mask patches and asked ratios of a sweep, and where each stands on the axes of a file.

    Parameters
    ----------
    asked : tuple of (MaskPatches, tuple of float)
        Each partition with its asked ratios.

    Raises
    ------
    MaskError
        If nothing is asked for, a ratio is none, or two shapes have one size: files are indexed by size.
    """

    asked: tuple[tuple[MaskPatches, tuple[float, ...]], ...]

    def __post_init__(self) -> None:
        if not self.asked:
            raise MaskError("masks={} must name at least one mask patch (--masks)")
        shapes: dict[int, tuple[int, int]] = {}
        for patches, ratios in self.asked:
            shape = (patches.height, patches.width)
            if shapes.setdefault(patches.size, shape) != shape:
                raise MaskError(
                    f"mask patch {patches.label!r}: a file holds one patch shape of each size (--masks)"
                )
            for ratio in ratios:
                visible_count(patches.n_patches, ratio)  # refuses what is no ratio

    @classmethod
    def read(cls, masks: Mapping[str, Any], grid: TokenGrid) -> MaskSweep:
        """Read ``{"1x1": [0.5], ...}``: label of the mask patch -> asked ratios."""
        for label, ratios in masks.items():
            if not isinstance(ratios, list | tuple) or not ratios:
                raise MaskError(
                    f"mask patch {label!r}: ratios {ratios!r} must be a list of numbers (--masks)"
                )
        return cls(tuple((MaskPatches.parse(label, grid), tuple(ratios)) for label, ratios in masks.items()))

    @property
    def coords(self) -> dict[str, list[Any]]:
        """Labels of the axes ``patch_size, offset, mask_ratio``, ascending."""
        return {
            "patch_size": sorted({patches.size for patches, _ in self.asked}),
            "offset": sorted({int(patches.offset) for patches, _ in self.asked}),
            "mask_ratio": sorted({float(ratio) for _, ratios in self.asked for ratio in ratios}),
        }

    @property
    def shapes(self) -> dict[str, NDArray[np.int64]]:
        """``patch_height`` and ``patch_width`` of each patch size, in tokens."""
        shape = {patches.size: (patches.height, patches.width) for patches, _ in self.asked}
        heights, widths = np.array([shape[size] for size in self.coords["patch_size"]], np.int64).T
        return {"patch_height": heights, "patch_width": widths}

    def __iter__(self) -> Iterator[tuple[tuple[int, int, int], MaskPatches, float]]:
        """Yield (place on the three axes, patches, asked ratio), in the order in which they are asked for."""
        coords = self.coords
        for patches, ratios in self.asked:
            for ratio in ratios:
                labels = (patches.size, int(patches.offset), float(ratio))
                size, offset, at = (
                    axis.index(label) for axis, label in zip(coords.values(), labels, strict=True)
                )
                yield (size, offset, at), patches, ratio


def draw_masks(patches: MaskPatches, visible: int, uniforms: Any) -> tuple[Any, Any]:
    """Turn uniform draws into masks with a fixed number of visible patches.

    Parameters
    ----------
    patches : MaskPatches
    visible : int
        Visible patches, 1 to N - 1.
    uniforms : array (..., N)
        Independent draws from [0, 1), NumPy or torch: the patches with the `visible` smallest are visible.

    Returns
    -------
    visible_ids : int64 array (..., visible * size)
        Visible tokens, ascending.
    masked_ids : int64 array (..., (N - visible) * size)
        Masked tokens, ascending.
    """
    n = patches.n_patches
    if uniforms.shape[-1] != n:
        raise MaskError(
            f"uniforms of shape {tuple(uniforms.shape)} must end in the {n} patches of {patches.label}"
        )
    realised_ratio(n, visible)  # refuses an impossible count
    order = uniforms.argsort(-1)
    ids = [_tokens_of(patches, part) for part in (order[..., :visible], order[..., visible:])]
    if isinstance(order, np.ndarray):
        return np.sort(ids[0], -1), np.sort(ids[1], -1)
    return ids[0].sort(-1).values, ids[1].sort(-1).values


def _tokens_of(patches: MaskPatches, which: Any) -> Any:
    """Tokens of the patches `which` (..., k): (..., k * size), patch by patch; NumPy or torch.

    By arithmetic: the table `MaskPatches.tokens` would have to be copied to the device at every call, which a
    captured CUDA graph forbids.
    """
    xp = array_namespace(which)
    grid, h, w = patches.grid, patches.height, patches.width
    dy, dx = xp.arange(h, device=device(which)), xp.arange(w, device=device(which))
    columns = grid.width // w
    y, x = (which // columns * h)[..., None] + dy, (which % columns * w)[..., None] + dx
    if patches.offset:
        y, x = (y + h // 2) % grid.height, (x + w // 2) % grid.width
    return xp.reshape(y[..., :, None] * grid.width + x[..., None, :], (*which.shape[:-1], -1))


def mask_matrix(visible_ids: NDArray[Any], n_tokens: int) -> NDArray[np.bool_]:
    """Return masks as booleans, shape (..., n_tokens), True where a token is visible."""
    visible_ids = np.asarray(visible_ids)
    matrix = np.zeros((*visible_ids.shape[:-1], n_tokens), bool)
    np.put_along_axis(matrix, visible_ids, True, -1)
    return matrix


def border_tokens(visible: NDArray[np.bool_], grid: TokenGrid) -> NDArray[np.bool_]:
    """Return which masked tokens share a side with a visible one, (b, n_tokens), from visible (b, n_tokens).

    Examples
    --------
    >>> grid = TokenGrid(2, 2)
    >>> border_tokens(np.array([[True, False, False, False]]), grid).astype(int).tolist()
    [[0, 1, 1, 0]]
    """
    shown = visible.reshape(-1, grid.height, grid.width)
    touching = np.zeros_like(shown)
    touching[:, 1:] |= shown[:, :-1]
    touching[:, :-1] |= shown[:, 1:]
    touching[:, :, 1:] |= shown[:, :, :-1]
    touching[:, :, :-1] |= shown[:, :, 1:]
    return (touching & ~shown).reshape(visible.shape)


def evaluation_masks(
    world_seed: int, patches: MaskPatches, visible: int, n: int, split: str = "test"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the evaluation masks of a world: the same for every model, so that scores are paired.

    Parameters
    ----------
    world_seed : int
    patches : MaskPatches
    visible : int
        Visible patches.
    n : int
        Number of images; row i belongs to sample i of the split.
    split : {"test", "probe-train", "display"}
        The sample stream that the masks go with.

    Returns
    -------
    visible_ids, masked_ids : int64 arrays (n, tokens)
        As in `draw_masks`.
    """
    splits = ("test", "probe-train", "display")
    if split not in splits:
        raise MaskError(f"split {one_of(split, splits)}")
    key = (patches.height, patches.width, int(patches.offset), visible, splits.index(split))
    uniforms = stream(world_seed, "eval-masks", *key).random((n, patches.n_patches))
    return draw_masks(patches, visible, uniforms)
