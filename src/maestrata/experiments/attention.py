"""Self-attention of a block of the encoder: how much stays under the same ancestor.

One head or the mean of all, of the whole image. Of what a token's attention gives to *other* tokens, the
mass on those that share its ancestor at level k is compared with the share of such tokens, which even
attention would give them: (2^k - 1) / (n - 1) of n tokens. [CLS] has no ancestor: the token that it attends
to most takes that place, and its own mass is left out, so that even attention gives the same share.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import ExperimentError
from maestrata.experiments._features import PLAIN, models
from maestrata.experiments.base import Job, Table
from maestrata.geometry import TokenGrid
from maestrata.model.mae import MAE
from maestrata.representation.attention import attention_weights
from maestrata.resampling import mean_bootstrap

SUMMARY = "attention of [CLS] and of tokens in one block: mass on tokens of the same ancestor, and maps"
SETTINGS = {"layer": 0, "head": 0, "test": 1024, "token": 5, "shown": 2, "shown_world_seed": 100}
RANGES = {
    "layer": {"least": 0, "most": "depth"},
    "head": {"least": 0, "most": "heads"},
    "test": {"least": 2},
    "token": {"least": 0, "below": "n_tokens"},
    "shown": {"least": 0, "most": 1000},
    "shown_world_seed": {"least": 0, "below": 4294967296},
}
CELLS = True
NEEDS = "images"

Attention = NDArray[np.float32]


def shared_mass(
    attention: NDArray[np.floating], grid: TokenGrid, level: int, anchors: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the mass on tokens that share the anchor's ancestor, of all that is on tokens but the anchor.

    Parameters
    ----------
    attention : array (n, t)
        On the patch tokens, [CLS] left out; it need not sum to 1.
    grid : TokenGrid
    level : int
        Of the ancestor, 1 to L.
    anchors : ndarray (n,) of int
        Token of each image.
    """
    node = grid.node_of_token(level)
    same = node[None, :] == node[anchors][:, None]
    other = np.arange(grid.n_tokens)[None, :] != anchors[:, None]
    mass = np.asarray(attention, np.float64)
    share: NDArray[np.float64] = (mass * (same & other)).sum(1) / (mass * other).sum(1)
    return share


def run(job: Job) -> Table:
    """Measure every trained model of the world, and the untrained one.

    Parameters
    ----------
    job : Job
        Its settings: `layer`, the block, 1 to the depth of the encoder, or 0, the last one; `head`, 1 to the
        number of heads, or 0, the mean of all; `test` images; the chosen `token`; how many display images are
        `shown`, and in which `shown_world_seed` alone.

    Returns
    -------
    Table
        By level 1 to L - 1, as shares: ``token_mass`` (mean over all tokens as queries), ``chosen_mass`` (the
        chosen token), ``cls_mass``; arm ``even``: ``token_mass`` of even attention. At level 0:
        ``self_mass``, a token's attention to itself over that to all tokens, and ``mask_ratio``. Arms
        ``ARM/dD/tTT`` (display image D, token TT; mask patches of one token, and the untrained model):
        ``cls_attention`` and ``chosen_attention``, of what is on patch tokens; ``ARM/mean/tTT``: their means
        over the test images.
    """
    world, chosen = job.world, int(job.settings["token"])
    grid = world.grid
    if not 0 <= chosen < grid.n_tokens:
        raise ExperimentError(f"attention: token={chosen} must lie in 0..{grid.n_tokens - 1} ({world.name})")
    images = job.sample("test", "test").images
    weights = job.weights(len(images))
    shown = int(job.settings["shown"]) if world.seed == int(job.settings["shown_world_seed"]) else 0

    table = Table()
    for level in range(1, world.levels):
        table.add("even", "token_mass", level, (2**level - 1) / (grid.n_tokens - 1))
    for arm, model, cell in models(job, table):
        attention = _asked(job, model, images)
        _file_mass(table, arm, attention[..., 1:], grid, chosen, weights)
        if shown and (cell is None or cell.patches.label == PLAIN):
            display = _asked(job, model, world.sample(shown, "display").images)
            maps = {f"d{i}": rows for i, rows in enumerate(display)} | {"mean": attention.mean(0)}
            for name, rows in maps.items():
                _file_map(table, f"{arm}/{name}", rows, chosen)
    return table


def _asked(job: Job, model: MAE, images: NDArray[np.float32]) -> Attention:
    """Return the attention of the block and head that the settings name: (n, 1 + t, 1 + t)."""
    layer, head = (int(job.settings[key]) for key in ("layer", "head"))
    weights = attention_weights(model, images, layer or None)
    return weights[:, head - 1] if head else weights.mean(1)


def _file_mass(
    table: Table,
    arm: str,
    on_tokens: Attention,
    grid: TokenGrid,
    chosen: int,
    weights: NDArray[np.float32],
) -> None:
    """File the masses of one model; on_tokens: (n, 1 + t, t)."""
    n, t = len(on_tokens), grid.n_tokens
    peak = on_tokens[:, 0].argmax(1)
    for level in range(1, grid.levels):
        tokens = np.stack(
            [shared_mass(on_tokens[:, 1 + i], grid, level, np.full(n, i)) for i in range(t)], axis=1
        )
        masses = {
            "token_mass": tokens.mean(1),
            "chosen_mass": tokens[:, chosen],
            "cls_mass": shared_mass(on_tokens[:, 0], grid, level, peak),
        }
        for name, mass in masses.items():
            table.add(arm, name, level, mean_bootstrap(mass, weights), n)
    itself = np.diagonal(on_tokens[:, 1:], axis1=1, axis2=2) / on_tokens[:, 1:].sum(-1)
    table.add(arm, "self_mass", 0, mean_bootstrap(itself.mean(1), weights), n)


def _file_map(table: Table, arm: str, rows: Attention, chosen: int) -> None:
    """File where [CLS] and the chosen token look; rows: (1 + t, 1 + t)."""
    for name, row in (("cls_attention", rows[0, 1:]), ("chosen_attention", rows[1 + chosen, 1:])):
        for token, share in enumerate(row / row.sum()):
            table.add(f"{arm}/t{token:02d}", name, 0, float(share))
