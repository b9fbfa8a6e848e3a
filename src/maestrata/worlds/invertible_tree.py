"""Assumption 1 to the letter: every node is an invertible function of its parent and its own noise.

``child = Q2 T Q1 T Q0 [parent, noise]`` with orthogonal Q; T turns pairs of coordinates by an angle of omega
times the last coordinate. T and Q preserve N(0, I), so every node is exactly standard normal, and the inverse
is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from array_api_compat import array_namespace

from maestrata.errors import WorldError
from maestrata.random import stream
from maestrata.worlds.base import Noise, NoiseSpec, World
from maestrata.worlds.checks import check_number
from maestrata.worlds.maps import apply_maps, draw_token_map, orthogonal, to_children, tokens_to_images


class InvertibleTree(World):
    """Invertible tree.

    Parameters
    ----------
    seed : int
    leaves : int
        Tokens, a power of two.
    root_dim : int
        Dimension of the root.
    noise_dim : int
        Dimension that each level adds: a node at level l has ``root_dim + noise_dim (L - l)``.
    omega : float
        Turning rate. None takes 1.4 up to 16 leaves and 1.2 beyond.
    token_pixels : int
        Side of a token; its values must hold the token's variable.
    """

    name = "invertible_tree"

    def __init__(
        self,
        seed: int,
        leaves: int = 16,
        root_dim: int = 2,
        noise_dim: int = 1,
        omega: float | None = None,
        token_pixels: int = 2,
    ) -> None:
        super().__init__(
            seed,
            leaves=leaves,
            token_pixels=token_pixels,
            settings={"root_dim": root_dim, "noise_dim": noise_dim, "omega": omega},
        )
        if omega is None:
            omega = self.settings["omega"] = 1.4 if leaves <= 16 else 1.2
        # a token's variable, root_dim + noise_dim L, must fit into its values
        if self.token_values <= self.levels:
            raise WorldError(
                f"{self.name}: token_pixels={token_pixels} gives {self.token_values} values a token, "
                f"which must be more than the {self.levels} levels"
            )
        check_number(self.name, "root_dim", root_dim, 1, self.token_values - self.levels, integer=True)
        room = (self.token_values - root_dim) // self.levels
        check_number(self.name, "noise_dim", noise_dim, 1, room, integer=True)
        check_number(self.name, "omega", omega, 0, 100)
        self.dims = {level: root_dim + noise_dim * (self.levels - level) for level in range(self.levels + 1)}
        self.noise_spec = {
            level: NoiseSpec("normal", (n, root_dim if level == self.levels else noise_dim))
            for level, n in self.n_nodes.items()
        }
        rng = stream(seed, "world")
        for level in range(self.levels - 1, -1, -1):
            for q in range(3):
                self.params[f"Q{q}_{level}"] = orthogonal(rng, (self.n_nodes[level],), self.dims[level])
        self.params["P"] = draw_token_map(rng, self.grid.n_tokens, self.token_values, self.dims[0])

    def child(self, params: Mapping[str, Any], level: int, joined: Any) -> Any:
        """Map ``[parent, noise]`` (..., nodes_level, D) to the nodes at `level` (..., nodes_level, D)."""
        u = turn(apply_maps(params[f"Q0_{level}"], joined), self.settings["omega"])
        u = turn(apply_maps(params[f"Q1_{level}"], u), self.settings["omega"])
        return apply_maps(params[f"Q2_{level}"], u)

    def invert(self, params: Mapping[str, Any], level: int, nodes: Any) -> Any:
        """Recover ``[parent, noise]`` from the nodes at `level`: the inverse of `child`."""
        u = turn(apply_maps(params[f"Q2_{level}"].swapaxes(-1, -2), nodes), -self.settings["omega"])
        u = turn(apply_maps(params[f"Q1_{level}"].swapaxes(-1, -2), u), -self.settings["omega"])
        return apply_maps(params[f"Q0_{level}"].swapaxes(-1, -2), u)

    def forward(self, params: Mapping[str, Any], noise: Noise) -> tuple[Any, dict[int, Any]]:
        """Map noise to images and latents; see `World.forward`."""
        u = noise[self.levels]
        xp = array_namespace(u)
        latents = {self.levels: u}
        for level in range(self.levels - 1, -1, -1):
            parents = to_children(u, self.grid, level)
            u = self.child(params, level, xp.concat([parents, noise[level]], axis=-1))
            if level:
                latents[level] = u
        return tokens_to_images(params["P"], u, self.grid, self.token_pixels), latents


def turn(u: Any, omega: float) -> Any:
    """Turn coordinate pairs (0, 1), (2, 3), ... of `u` (..., D) by the angle ``omega * u[..., -1]``.

    The last coordinate stays, and so does the one before it where D is even.
    """
    xp = array_namespace(u)
    pairs = (u.shape[-1] - 1) // 2
    cos, sin = xp.cos(omega * u[..., -1:]), xp.sin(omega * u[..., -1:])
    a, b = u[..., 0 : 2 * pairs : 2], u[..., 1 : 2 * pairs : 2]
    turned = xp.stack([cos * a - sin * b, sin * a + cos * b], axis=-1)
    return xp.concat([xp.reshape(turned, (*u.shape[:-1], 2 * pairs)), u[..., 2 * pairs :]], axis=-1)
