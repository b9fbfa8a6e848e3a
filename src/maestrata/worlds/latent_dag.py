"""A random latent graph whose nodes may have several parents, with additive modules.

It starts from the binary tree, so that nodes keep their blocks of tokens, and adds edges at random: a node
may gain a second parent at the level above, and one further up. Each edge has a fold of its own, as in
`additive_tree`; a child is ``rho`` times the standardised sum over its parents plus ``sqrt(1 - rho**2)``
times its noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from maestrata.graphs import LatentGraph
from maestrata.random import stream
from maestrata.worlds.additive_tree import CALIBRATION
from maestrata.worlds.base import Noise
from maestrata.worlds.checks import check_number
from maestrata.worlds.maps import apply_maps, orthogonal, tokens_to_images
from maestrata.worlds.trees import NoisyTree


class LatentDag(NoisyTree):
    """Random latent graph.

    Parameters
    ----------
    seed : int
    leaves, dim, token_pixels : int
    rho, fold : float
        As in `AdditiveTree`.
    extra : float
        Probability that a latent gains a second parent, uniformly among the other nodes of the level above.
    extra_tokens : float
        The same for tokens: an observable with two parents.
    skip : float
        Probability that a node, token or latent, gains a parent uniformly among the nodes two or more levels
        above.

    Notes
    -----
    With parents p of a node and ``f_p(u) = B_p standardise(|A_p u| + fold A_p u)``,

        child = rho / s * sum_p f_p(u_p) + sqrt(1 - rho**2) noise,

    s the root mean square of the sum, so that each parent weighs the same and a node has unit variance on
    average over its dimensions. Moments are those of 16,384 draws of the stream ``("calibration", seed)``.
    Without extra edges the world is the `additive_tree` of the same seed and settings.

    All nodes of a level have the same slots for parents (the tree's, the extra one, the one further up; one
    whose chance is 0 is left out), and an empty slot has weight 0. The structure is thus a part of `params`
    (``parent{l}``: row of each edge's parent among the nodes above level l, root first; ``share{l}``: its
    weight), and worlds of the same settings but of different structure can be stacked and run as one.
    """

    name = "latent_dag"
    folds = True

    def __init__(
        self,
        seed: int,
        leaves: int = 16,
        dim: int = 4,
        rho: float = 0.98,
        fold: float = 0.4,
        extra: float = 0.5,
        extra_tokens: float = 0.5,
        skip: float = 0.0,
        token_pixels: int = 2,
    ) -> None:
        chances = {"extra": extra, "extra_tokens": extra_tokens, "skip": skip}
        check_number(self.name, "fold", fold, 0, 100)
        for key, value in chances.items():
            check_number(self.name, key, value, 0, 1)
        super().__init__(seed, leaves, dim, rho, token_pixels, fold=fold, **chances)

    def _draw(self, rng: np.random.Generator, level: int) -> None:
        # the tree's functions first, as additive_tree draws them, so that the two worlds share them
        for key in ("A", "B"):
            self.params[f"{key}{level}"] = orthogonal(rng, (self.n_nodes[level],), self.settings["dim"])

    def _complete(self, rng: np.random.Generator) -> None:
        dim = self.settings["dim"]
        for level in range(self.levels - 1, -1, -1):
            slots = self._slots(level)
            for key in (f"A{level}", f"B{level}"):
                every = np.concatenate(
                    [self.params[key][None], orthogonal(rng, (2, self.n_nodes[level]), dim)]
                )
                self.params[key] = every[slots].reshape(-1, dim, dim)
            parent, present = self._draw_parents(rng, level)
            self.params[f"parent{level}"] = parent[slots].ravel()
            self.params[f"share{level}"] = present[slots].astype(float).reshape(-1, 1)
        self._calibrate()

    def _slots(self, level: int) -> list[int]:
        """Slots for parents in use at `level`: 0 the tree's, 1 the extra one, 2 the one further up."""
        chances = (1, self.settings["extra" if level else "extra_tokens"], self.settings["skip"])
        return [slot for slot, chance in enumerate(chances) if chance]

    def _draw_parents(
        self, rng: np.random.Generator, level: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Draw the parents of the nodes at `level`: rows above it, and which edges exist, (3, nodes)."""
        nodes, above = self.n_nodes[level], self.n_nodes[level + 1]
        # root first: these rows come first
        further = sum(n for k, n in self.n_nodes.items() if k > level + 1)
        tree = self.grid.parent(level)
        # an empty slot points at the tree parent and has weight 0; every number is drawn whatever the chances
        other = (tree + 1 + rng.integers(0, max(above - 1, 1), nodes)) % above
        distant = rng.integers(0, max(further, 1), nodes)
        chance = self.settings["extra" if level else "extra_tokens"]
        extra = (rng.random(nodes) < chance) & (above > 1)
        skip = (rng.random(nodes) < self.settings["skip"]) & (further > 0)
        present = np.stack([np.ones(nodes, bool), extra, skip])
        parent = np.stack([further + tree, further + other, distant])
        return np.where(present, parent, further + tree), present

    def _calibrate(self) -> None:
        root = stream(self.seed, "calibration", self.levels)
        above = root.standard_normal((CALIBRATION, *self.noise_spec[self.levels].shape))
        for level in range(self.levels - 1, -1, -1):
            folded = self._fold(self.params, level, above)
            self.params[f"mean{level}"] = folded.mean(0)
            self.params[f"scale{level}"] = folded.std(0)
            total = self._sum(self.params, level, folded)  # shares are still 0 or 1 here
            rms = np.sqrt((total**2).mean((0, 2)))[:, None]
            self.params[f"share{level}"] /= np.tile(rms, (len(self._slots(level)), 1))
            if level:
                eps = stream(self.seed, "calibration", level).standard_normal(total.shape)
                above = np.concatenate([above, self.settings["rho"] * total / rms + self.sigma * eps], axis=1)

    def _fold(self, params: Mapping[str, Any], level: int, above: Any) -> Any:
        """Fold the parent of every edge, ``|A u| + fold A u``: (..., slots * nodes, dim)."""
        xp = array_namespace(above)
        w = apply_maps(params[f"A{level}"], xp.take(above, params[f"parent{level}"], axis=above.ndim - 2))
        return xp.abs(w) + self.settings["fold"] * w

    def _sum(self, params: Mapping[str, Any], level: int, folded: Any) -> Any:
        """Standardise the edges and sum them over the parents of each node: (..., nodes, dim)."""
        xp = array_namespace(folded)
        standard = (folded - params[f"mean{level}"]) / params[f"scale{level}"]
        parts = apply_maps(params[f"B{level}"], standard) * params[f"share{level}"]
        parts = xp.reshape(parts, (*parts.shape[:-2], -1, self.n_nodes[level], parts.shape[-1]))
        return xp.sum(parts, axis=parts.ndim - 3)

    def child_mean(self, params: Mapping[str, Any], level: int, above: Any) -> Any:
        """Return E[node at `level` | all latents above it], (..., nodes_level, dim).

        Parameters
        ----------
        params : mapping
        level : int
            0 to L - 1.
        above : array (..., nodes, dim)
            The nodes of levels L to ``level + 1``, root first.
        """
        return self.settings["rho"] * self._sum(params, level, self._fold(params, level, above))

    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Map noise to images and latents; see `World.forward`."""
        above = noise[self.levels]
        xp = array_namespace(above)
        latents = {self.levels: above}
        for level in range(self.levels - 1, 0, -1):
            latents[level] = self.child_mean(params, level, above) + self.sigma * noise[level]
            above = xp.concat([above, latents[level]], axis=above.ndim - 2)
        tokens = self.child_mean(params, 0, above) + self.sigma * noise[0]
        return tokens_to_images(params["P"], tokens, self.grid, self.token_pixels), latents

    @property
    def graph(self) -> LatentGraph:
        """The latent graph as drawn: the tree's edges, then the extra ones."""
        rows = [name for level in range(self.levels, 0, -1) for name in self.node_names(level)]
        edges = []
        for level in range(self.levels - 1, -1, -1):
            names = self.node_names(level) * len(self._slots(level))
            parents, shares = self.params[f"parent{level}"], self.params[f"share{level}"][:, 0]
            edges += [(rows[p], name) for p, share, name in zip(parents, shares, names, strict=True) if share]
        dims = {name: self.dims[level] for level in self.dims for name in self.node_names(level)}
        return LatentGraph(edges=edges, dims=dims)
