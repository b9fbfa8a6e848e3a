"""Where a stack gets its noise: NumPy streams, as a run on its own does, or generators on the device.

A source is asked for some steps at a time and gives, for all members at once, the noise of the world and the
uniforms from which masks are drawn. Each member has streams of its own, keyed as in a run on its own: what a
member sees does not depend on the other members.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maestrata.random import integer_seed, stream
from maestrata.training.data import mask_uniforms
from maestrata.worlds.base import World

CHUNK = 16  # steps whose noise is drawn, and whose images are made, at once


class NoiseSource(Protocol):
    """Noise of `CHUNK` steps, for all members."""

    def draw(self, step: int) -> dict[str, Tensor]:
        """Return flat draws of the steps from `step` on: ``normal`` (M, CHUNK, a), ``uniform`` (M, CHUNK, c).

        See `unpack`. Steps are asked for in order, `CHUNK` apart, from 0.
        """
        ...


def sizes(world: World, batch: int, n_patches: int) -> tuple[int, int]:
    """Numbers of normal and of uniform draws that one member needs for one step."""
    normal = sum(batch * prod(s.shape) for s in world.noise_spec.values() if s.kind == "normal")
    choice = sum(batch * prod(s.shape) for s in world.noise_spec.values() if s.kind == "choice")
    return normal, choice + batch * n_patches


def unpack(
    world: World, batch: int, n_patches: int, normal: Tensor, uniform: Tensor
) -> tuple[dict[int, Tensor], Tensor]:
    """Cut flat draws (M, a), (M, c) of a step of each of M members, or of M steps, for the world.

    Returns
    -------
    noise : dict
        Level -> (M, b, nodes, dim).
    uniforms : Tensor (M, b, N)
        Of which masks are made.
    """
    noise, at = {}, {"normal": 0, "choice": 0}
    members = normal.shape[0]
    for level in sorted(world.noise_spec, reverse=True):
        spec = world.noise_spec[level]
        flat, start = (normal if spec.kind == "normal" else uniform), at[spec.kind]
        count = batch * prod(spec.shape)
        part = flat[:, start : start + count].view(members, batch, *spec.shape)
        at[spec.kind] += count
        if spec.kind == "choice":
            part = (part * _counts(spec.high, part.device)).long()
        noise[level] = part
    return noise, uniform[:, at["choice"] :].view(members, batch, n_patches)


@lru_cache(maxsize=256)
def _counts(high: tuple[int, ...], device: torch.device) -> Tensor:
    """Return numbers of choices on a device: kept, since a CUDA graph cannot copy them there."""
    return torch.tensor(high, dtype=torch.float32, device=device)


class DeviceNoise:
    """Draws on the device, one generator per member.

    Parameters
    ----------
    world : World
        Any member's world: all have the same noise.
    keys : sequence of (world_seed, seed)
        Members.
    batch, n_patches : int
    device : torch.device
        A member's noise depends on its kind.
    """

    def __init__(
        self,
        world: World,
        keys: Sequence[tuple[int, int]],
        batch: int,
        n_patches: int,
        device: torch.device,
    ) -> None:
        self._generators = []
        for world_seed, seed in keys:
            pair = [torch.Generator(device), torch.Generator(device)]
            pair[0].manual_seed(integer_seed(world_seed, "train", seed))
            pair[1].manual_seed(integer_seed(seed, "masks", world_seed))
            self._generators.append(pair)
        normal, uniform = sizes(world, batch, n_patches)
        self._normal = torch.empty(len(keys), CHUNK, normal, device=device)
        self._uniform = torch.empty(len(keys), CHUNK, uniform, device=device)

    def draw(self, step: int) -> dict[str, Tensor]:
        """Return the draws of the next steps; they are overwritten by the next call."""
        for k, (data, masks) in enumerate(self._generators):
            self._normal[k].normal_(generator=data)
            self._uniform[k].uniform_(generator=masks)
        return {"normal": self._normal, "uniform": self._uniform}


class StreamNoise:
    """The NumPy streams that each member has in a run on its own on the CPU."""

    def __init__(self, worlds: Sequence[World], seeds: Sequence[int], batch: int, n_patches: int) -> None:
        self.worlds, self.seeds, self.batch, self.n_patches = worlds, seeds, batch, n_patches

    def draw(self, step: int) -> dict[str, Tensor]:
        """Return the draws of the steps from `step` on, whichever these are."""
        drawn = [
            [self._member(world, seed, at) for at in range(step, step + CHUNK)]
            for world, seed in zip(self.worlds, self.seeds, strict=True)
        ]
        return {
            name: torch.from_numpy(np.stack([np.stack([one[i] for one in member]) for member in drawn]))
            for i, name in enumerate(("normal", "uniform"))
        }

    def _member(self, world: World, seed: int, step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the normal and the uniform draws of one member's step, flat."""
        noise = world.draw(self.batch, stream(world.seed, "train", seed, step))
        masks = mask_uniforms(world, seed, step, (self.batch, self.n_patches))
        levels = sorted(noise, reverse=True)
        normal = [noise[i].ravel() for i in levels if noise[i].dtype.kind == "f"]
        # a choice c of h is carried as (c + 1/2) / h, which `unpack` turns back into c
        chosen = [
            ((noise[i] + 0.5) / np.asarray(world.noise_spec[i].high)).astype(np.float32).ravel()
            for i in levels
            if noise[i].dtype.kind != "f"
        ]
        return np.concatenate(normal), np.concatenate([*chosen, masks.ravel()])
