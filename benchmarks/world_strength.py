"""Strength of the worlds: three conditions that a world must meet before any masked autoencoder is looked at.

    python benchmarks/world_strength.py                   # all worlds, seeds 0 to 5, 240,000 images a model
    python benchmarks/world_strength.py --images 0        # without training: linear, random, explained
    python benchmarks/world_strength.py --worlds latent_dag:rho=.95,extra=1 --seeds 0 1

Writes benchmarks/results/world_strength.json and .md; entries of other worlds and seeds are kept.

For every world and seed, with z the root (one-hot where it is a symbol) and R2 the plain mean over its
dimensions:

linear      R2 of z from all pixels by least squares, on max(20,480, 64 per pixel value) images, read on
            8,192 fresh ones.
random      The same from the mean-pooled tokens (last layer after its norm) of a random-init encoder, whole
            images.
supervised  The same from the mean-pooled tokens of an encoder of the same architecture, trained to predict z
            by a linear head on them: mean squared error, standardised z, the MAE's recipe and number of
            images.
explained   Share of a masked pixel's variance that is explained given the root, Var E[x | z] / Var x:
            `maestrata.inference.masked.explainable_share`, exact where the world has it in closed form.
            Fixed-count masks hide every token equally often, so the mean over masked pixels is the mean over
            all of them: at r = .5 as at any r. (JSON: the share given each level's latents, too.)
node        The same given the root's node of the graph, which for a grammar is the symbol and its production:
            pairs x, x' that share it and nothing else are independent given it, so that cov(x_j, x'_j) =
            Var E[x_j | node]; summed over pixels j, over the sum of Var x_j.

Conditions: (a) linear <= .75 supervised; (b) supervised - random >= .2; (c) explained >= .1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from maestrata import worlds
from maestrata.geometry import patchify
from maestrata.inference.masked import explainable_share
from maestrata.model.mae import MAE, MAEConfig
from maestrata.random import integer_seed, stream
from maestrata.training.recipe import Recipe, decays, learning_rate
from maestrata.worlds.base import Sample, World

WORLDS: dict[str, tuple[str, dict[str, Any]]] = {
    "additive_tree": ("additive_tree", {}),
    "additive_tree_2d": ("additive_tree", {"dim": 2, "rho": 0.98, "fold": 0.5}),
    "invertible_tree": ("invertible_tree", {}),
    "invertible_tree_mild": ("invertible_tree", {"root_dim": 4, "omega": 0.8}),
    "grammar_tree": ("grammar_tree", {}),
    "grammar_tree_8": ("grammar_tree", {"leaves": 8, "symbols": 20}),
    "grammar_tree_8_8": ("grammar_tree", {"leaves": 8, "symbols": 8}),
    "sign_hidden": ("sign_hidden", {"leaves": 8, "symbols": 8}),
    "symbol_tree": ("symbol_tree", {}),
    "symbol_tree_8": ("symbol_tree", {"leaves": 8}),
    "symbol_tree_between": ("symbol_tree", {"ambiguity": 1.4142}),
    "symbol_tree_ambiguous": ("symbol_tree", {"ambiguity": 2, "root": 8}),
    "latent_dag": ("latent_dag", {}),
}
TEST = 8_192
MINIMUM = {"a": 0.75, "b": 0.2, "c": 0.1}
RESULTS = Path(__file__).parent / "results"


def parse(label: str) -> tuple[str, dict[str, Any]]:
    """Read a world: a label of `WORLDS`, or ``kind:key=value,key=value``."""
    if label in WORLDS:
        return WORLDS[label]
    kind, _, settings = label.partition(":")
    pairs = (item.split("=", 1) for item in settings.split(",") if item)
    # JSON wants a digit before the point
    return kind, {k: json.loads("0" + v if v.startswith(".") else v) for k, v in pairs}


def root_values(world: World, latents: dict[int, Any]) -> Any:
    """Return the root, (..., dims): one-hot where it is a symbol; NumPy or torch."""
    root = latents[world.levels][..., 0, :]
    if not world.discrete:
        return root
    symbols = root[..., 0]
    if isinstance(symbols, np.ndarray):
        return np.eye(world.n_symbols[world.levels], dtype=np.float32)[symbols]
    return torch.nn.functional.one_hot(symbols, world.n_symbols[world.levels]).float()


def linear_r2(x: NDArray, y: NDArray, x_test: NDArray, y_test: NDArray) -> float:
    """Mean R2 over the columns of y of least squares on (x, y), read on the test pair."""
    x, y, x_test, y_test = (np.asarray(a, np.float64) for a in (x, y, x_test, y_test))
    mean, scale, offset = x.mean(0), x.std(0) + 1e-12, y.mean(0)
    x, x_test = (x - mean) / scale, (x_test - mean) / scale
    # a ridge far below the sampling error, for features that are linearly dependent
    weights = np.linalg.solve(x.T @ x + 1e-6 * len(x) * np.eye(x.shape[1]), x.T @ (y - offset))
    error = ((y_test - offset - x_test @ weights) ** 2).mean(0)
    return float((1 - error / y_test.var(0)).mean())


def node_share(world: World, n: int = 16_384) -> float:
    """Share of pixel variance that is explained given the root's node of the graph."""
    one, two = (world.draw(n, stream(world.seed, "strength", 2, k)) for k in range(2))
    two[world.levels] = one[world.levels]
    a, b = (world.generate(noise).images.reshape(n, -1).astype(np.float64) for noise in (one, two))
    mean = (a.mean(0) + b.mean(0)) / 2
    total = (((a - mean) ** 2).mean(0) + ((b - mean) ** 2).mean(0)).sum() / 2
    return float(((a - mean) * (b - mean)).mean(0).sum() / total)


class Supervised(torch.nn.Module):
    """The MAE's encoder with a linear head on its mean-pooled tokens."""

    def __init__(self, cfg: MAEConfig, dims: int, generator: torch.Generator) -> None:
        super().__init__()
        self.mae = MAE(cfg).initialise(generator)
        for unused in ("decoder_embed", "mask_token", "decoder_blocks", "decoder_norm", "head"):
            delattr(self.mae, unused)
        self.head = torch.nn.Linear(cfg.width, dims)
        for parameter in self.head.parameters():
            torch.nn.init.zeros_(parameter)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens (b, n, v) -> prediction (b, dims), mean-pooled tokens of the last layer (b, width)."""
        pooled = self.mae.encode(tokens, None)[:, 1:].mean(1)
        return self.head(pooled), pooled


class Stack:
    """The supervised encoders of all seeds of one world, trained as one vmapped model."""

    def __init__(self, members: list[World], dims: int, recipe: Recipe, device: torch.device) -> None:
        world = members[0]
        cfg = MAEConfig(world.grid.height, world.grid.width, world.token_values)
        self.members, self.recipe, self.device = members, recipe, device
        models = [
            Supervised(cfg, dims, torch.Generator().manual_seed(self._seed(w, 0))).to(device) for w in members
        ]
        self.weights, self.buffers = torch.func.stack_module_state(models)

        def call(weights: dict, buffers: dict, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return torch.func.functional_call(models[0], (weights, buffers), (tokens,))

        def one_by_one(weights: dict, buffers: dict, tokens: torch.Tensor) -> tuple[torch.Tensor, ...]:
            parts = [
                call({n: w[k] for n, w in weights.items()}, {n: b[k] for n, b in buffers.items()}, tokens[k])
                for k in range(len(members))
            ]
            return tuple(map(torch.stack, zip(*parts, strict=True)))

        # on a CPU a stack gains nothing, and its fused attention has no rule for vmap
        self.model = one_by_one if device.type == "cpu" else torch.func.vmap(call)
        like = torch.zeros((), device=device)
        params = [w.convert_params(like) for w in members]
        self.params = {name: torch.stack([p[name] for p in params]) for name in params[0]}
        self.forward = torch.func.vmap(world.forward)
        self.generators = [torch.Generator(device).manual_seed(self._seed(w, 1)) for w in members]

    @staticmethod
    def _seed(world: World, use: int) -> int:
        return integer_seed(world.seed, "strength", 3, use)

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a batch on the device: tokens (M, b, n, v), roots (M, b, dims)."""
        world, noise = self.members[0], {}
        for level, spec in world.noise_spec.items():
            shape = (self.recipe.batch, *spec.shape)
            if spec.kind == "normal":
                parts = [torch.randn(shape, generator=g, device=self.device) for g in self.generators]
                noise[level] = torch.stack(parts)
            else:
                parts = [torch.rand(shape, generator=g, device=self.device) for g in self.generators]
                high = torch.tensor(spec.high, device=self.device)
                noise[level] = (torch.stack(parts) * high).long()
        images, latents = self.forward(self.params, noise)
        return patchify(images, world.token_pixels), root_values(world, latents)

    def train(self) -> None:
        """Train encoders and heads on the standardised root."""
        tokens, root = self.draw()
        mean, scale = root.mean((0, 1)), root.std((0, 1))
        groups = [
            {
                "params": [w for n, w in self.weights.items() if decays(n, w.shape[1:]) == flag],
                "weight_decay": decay,
            }
            for flag, decay in ((True, self.recipe.weight_decay), (False, 0.0))
        ]
        optimiser = torch.optim.AdamW(groups, lr=0.0, betas=self.recipe.betas, fused=True)
        weights = list(self.weights.values())
        for step in range(self.recipe.steps):
            tokens, root = self.draw()
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(self.recipe, step)
            prediction, _ = self.model(self.weights, self.buffers, tokens)
            losses = (prediction - (root - mean) / scale).square().mean((1, 2))
            optimiser.zero_grad(set_to_none=True)
            losses.sum().backward()
            self._clip([w.grad for w in weights])
            optimiser.step()

    def _clip(self, grads: list[torch.Tensor]) -> None:
        """Scale the gradients (M, ...) of each member to the recipe's largest norm."""
        norms = torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0).sqrt()
        factor = (self.recipe.clip / (norms + 1e-6)).clamp(max=1)
        for grad in grads:
            grad.mul_(factor.view(-1, *(1,) * (grad.ndim - 1)))

    @torch.no_grad()
    def represent(self, samples: list[Sample]) -> NDArray:
        """Mean-pooled tokens of one sample a member, all of one size: (M, n, width)."""
        found = []
        for start in range(0, len(samples[0].images), 4096):
            images = np.stack([s.images[start : start + 4096] for s in samples])
            tokens = patchify(torch.from_numpy(images).to(self.device), self.members[0].token_pixels)
            found.append(self.model(self.weights, self.buffers, tokens)[1].cpu().numpy())
        return np.concatenate(found, 1)


def measure(label: str, seeds: list[int], images: int, device: torch.device) -> list[dict[str, Any]]:
    """Measure one world over its seeds: one row a seed."""
    kind, settings = parse(label)
    members = [worlds.make(kind, seed, **settings) for seed in seeds]
    values = int(np.prod(members[0].image_shape))
    n = max(20_480, 64 * values)
    fit = [w.sample(n, "strength", (0,)) for w in members]
    test = [w.sample(TEST, "strength", (1,)) for w in members]
    z = [[root_values(w, s.latents) for w, s in zip(members, part, strict=True)] for part in (fit, test)]

    def read(features: list[NDArray], features_test: list[NDArray]) -> list[float]:
        rows = zip(features, z[0], features_test, z[1], strict=True)
        return [linear_r2(*row) for row in rows]

    stack = Stack(members, z[0][0].shape[-1], Recipe(images=max(images, 256)), device)
    linear = read([s.images.reshape(n, -1) for s in fit], [s.images.reshape(TEST, -1) for s in test])
    random = read(list(stack.represent(fit)), list(stack.represent(test)))
    supervised: list[float | None] = [None] * len(seeds)
    began = time.perf_counter()
    if images:
        stack.train()
        supervised = list(read(list(stack.represent(fit)), list(stack.represent(test))))
    seconds = time.perf_counter() - began
    rows = []
    for k, world in enumerate(members):
        shares = {str(level): share for level, share in explainable_share(world).items()}
        rows.append(
            {
                "world": label,
                "kind": kind,
                "settings": world.settings,
                "seed": world.seed,
                "n_fit": n,
                "n_test": TEST,
                "images": images if images else None,
                "linear": linear[k],
                "random": random[k],
                "supervised": supervised[k],
                "explained": shares.pop(str(world.levels)),
                "node": node_share(world),
                "explained_by_level": shares,
                "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
                "torch": torch.__version__,
            }
        )
    print(f"{label}: {len(seeds)} seeds, training {seconds:.0f} s", file=sys.stderr)
    return rows


def conditions(row: dict[str, Any]) -> dict[str, bool | None]:
    """Return whether (a), (b), (c) hold; None where no encoder was trained."""
    s = row["supervised"]
    return {
        "a": None if s is None else row["linear"] <= MINIMUM["a"] * s,
        "b": None if s is None else s - row["random"] >= MINIMUM["b"],
        "c": row["explained"] >= MINIMUM["c"],
    }


def merge(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replace old rows by new ones; what was trained on the same world outlives a row without training."""
    rows = {(r["world"], r["seed"]): r for r in old}
    for row in new:
        before = rows.get((row["world"], row["seed"]))
        kept = before and row["supervised"] is None and before["settings"] == row["settings"]
        if kept and abs(before["linear"] - row["linear"]) < 1e-3:
            row = {**row, **{k: before[k] for k in ("supervised", "images", "device", "torch")}}
        rows[row["world"], row["seed"]] = row
    return [rows[key] for key in sorted(rows)]


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: a row a world and seed, then a mean row a world with the number of seeds that meet a
    condition.
    """
    names = ("linear", "random", "supervised", "explained", "node")
    lines = [
        "# Strength of the worlds",
        "",
        "Made by `python benchmarks/world_strength.py`; definitions are at its top. Root, whole images,",
        "mean-pooled tokens. (a) linear / supervised at most .75; (b) supervised - random at least .2;",
        "(c) explained at least .1. No supervised value: not trained yet.",
        "",
        "| world | seed | linear | random | supervised | explained | node | a: ratio | b: difference | met |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]

    def line(label: str, seed: str, row: dict[str, Any], met: str) -> str:
        s = row["supervised"]
        cells = ["" if row[k] is None else f"{row[k]:.3f}" for k in names]
        cells += ["", ""] if s is None else [f"{row['linear'] / s:.2f}", f"{s - row['random']:.3f}"]
        return f"| {label} | {seed} | {' | '.join(cells)} | {met} |"

    for label in dict.fromkeys(r["world"] for r in rows):
        mine = [r for r in rows if r["world"] == label]
        held = [conditions(r) for r in mine]
        for row, hold in zip(mine, held, strict=True):
            shown = " ".join(k if v else f"not {k}" for k, v in hold.items() if v is not None)
            lines.append(line(label, str(row["seed"]), row, shown))
        mean = {
            k: None if any(r[k] is None for r in mine) else float(np.mean([r[k] for r in mine]))
            for k in names
        }
        met = ", ".join(
            f"{k} {sum(h[k] is True for h in held)}/{sum(h[k] is not None for h in held)}"
            for k in "abc"
            if any(h[k] is not None for h in held)
        )
        lines.append(line(f"**{label}**", "mean", mean, met))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, merge and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), help="labels, or kind:key=value,...")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(6)))
    parser.add_argument(
        "--images", type=int, default=240_000, help="images a supervised encoder; 0: none is trained"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of world_strength.json and .md")
    args = parser.parse_args()
    # the fused kernels refuse, in their backward passes, the strides that vmap hands them
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.backends.cuda.enable_flash_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    path = args.out / "world_strength.json"
    for label in args.worlds:
        new = json.loads(json.dumps(measure(label, args.seeds, args.images, torch.device(args.device))))
        rows = merge(json.loads(path.read_text()) if path.exists() else [], new)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows, indent=1) + "\n")
        path.with_suffix(".md").write_text(table(rows))
    print(path.with_suffix(".md").read_text())


if __name__ == "__main__":
    main()
