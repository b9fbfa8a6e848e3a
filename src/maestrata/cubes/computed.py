"""Kinds of what is computed without training: theory, limits and verdicts (see `schema`)."""

from __future__ import annotations

from functools import partial

from maestrata.cubes.fields import (
    INTERVAL,
    MSE,
    PATCHES,
    POSITIVE,
    R2,
    RATIO,
    SHARE,
    Kind,
    Variable,
    count,
    float64,
    scores,
)

__all__ = ["COMPUTED"]

_IN_C = (*RATIO, "drawing", "reading", "tie", "level")
_LIMIT = (*RATIO, "eval_ratio", "bound", "target", "level")
_LEVEL = "level"
_TEXT = partial(Variable, dtype="str")
_CLAIM, _CONTRAST, _ROW, _MODEL = ("claim",), ("contrast",), ("row",), ("model",)


def _with_error(variables: dict[str, Variable]) -> dict[str, Variable]:
    """Add to means over masks their Monte Carlo standard errors."""
    errors = {
        f"{name}_error": float64(
            v.dims, f"Monte Carlo standard error of {name} (0: all masks)", v.units, within=POSITIVE
        )
        for name, v in variables.items()
    }
    return variables | errors


COMPUTED: dict[str, Kind] = {
    "theory": Kind(
        "Where the shared information sits, for every distribution of masks, and what rival accounts say",
        _with_error(
            {
                "p_in_c": float64(_IN_C, "probability that a node of the level is in c", within=SHARE),
                "number": float64(_IN_C, "nodes of the level in c, mean", "node", within=POSITIVE),
                "dim": float64(_IN_C, "dimensions of the level in c, mean", within=POSITIVE),
                "intrinsic_dim": float64(
                    _IN_C, "noise dimensions of the level that c determines, mean", within=POSITIVE
                ),
                "mean_level": float64(_IN_C[:-1], "level of a member of c, mean", _LEVEL, within=POSITIVE),
                "tied_share": float64(
                    _IN_C[:-1], "share of masks of which the tie rule leaves several c", within=SHARE
                ),
                "unique_share": float64(
                    (*RATIO, "drawing", "reading"), "share of masks with a unique c", within=SHARE
                ),
                "supply": float64(
                    (*RATIO, "level"), "R2 of the level given the visible part, Gaussian twin", within=R2
                ),
                "demand": float64(
                    (*RATIO, "level"),
                    "share of masked tokens whose first ancestor with a visible token is on the level",
                    within=SHARE,
                ),
                "climb": float64(RATIO, "level of that ancestor, mean", _LEVEL, within=POSITIVE),
            }
        )
        | {
            "n_masks": float64(
                (*RATIO, "drawing"), "masks looked at (all, where errors are 0)", "mask", within=POSITIVE
            ),
            "closed_p_in_c": float64(
                (*RATIO, "drawing", "reading", "level"),
                "p_in_c in closed form (regular trees, aligned patches, highest tie)",
                within=SHARE,
            ),
            "closed_mean_level": float64(
                (*RATIO, "drawing", "reading"), "mean_level in closed form", _LEVEL, within=POSITIVE
            ),
            "twin_rho": float64(
                ("world", "world_seed"), "correlation per edge of the Gaussian twin", within=SHARE
            ),
            "supply_demand": float64(RATIO, "climb times supply of the root", _LEVEL, within=POSITIVE),
            "linear_reach": float64(
                (*RATIO, "linear_loss"),
                "level at which the linear MAE meets the tokens that it predicts from, mean",
                _LEVEL,
                within=POSITIVE,
            ),
            "linear_r2": float64(
                (*RATIO, "level"), "R2 of the level from features of the reduced-rank linear MAE", within=R2
            ),
            "linear_rank": float64(("world", "world_seed"), "rank of that linear MAE", within=POSITIVE),
            "tree_support": float64(
                ("world", "world_seed"),
                "of the tree estimated from images: share of bootstrap trees with a split of it, median",
                within=SHARE,
                optional=True,
            ),
            "tree_estimated": float64(
                ("world", "world_seed"),
                "whether levels are those of that tree (1), or of the grid's, as it was not sure (0)",
                within=SHARE,
                optional=True,
            ),
            "example_masked": float64(
                ("world", "world_seed", "example", "node"), "token is masked in the example", within=SHARE
            ),
            "example_in_c": float64(
                ("world", "world_seed", "example", "reading", "tie", "node"),
                "node is in c of the example",
                within=SHARE,
            ),
        }
        | PATCHES,
    ),
    "limits": Kind(
        "The best that anything could do: exact inference, or named bounds where that cannot be had",
        scores(_LIMIT)
        | {
            # scores of aligned tokens leave out images in which nothing of a node is visible
            "r2_present": Variable(
                _LIMIT, "r2 over the images in which a token of the node is visible", within=R2
            ),
            "r2_present_low": Variable(_LIMIT, f"lower end of r2_present {INTERVAL}", within=R2),
            "r2_present_high": Variable(_LIMIT, f"upper end of r2_present {INTERVAL}", within=R2),
            "r2_boot": Variable(
                (*_LIMIT, "replicate"),
                "r2 of each bootstrap replicate (the weights of the scores)",
                within=R2,
                sparse=True,
                optional=True,
            ),
            "r2_present_boot": Variable(
                (*_LIMIT, "replicate"),
                "r2_present of each bootstrap replicate",
                within=R2,
                sparse=True,
                optional=True,
            ),
            "bayes_loss": float64(
                (*RATIO, "bound"),
                "least loss on masked tokens: mean posterior variance (upper: no loss is lower)",
                MSE,
                within=POSITIVE,
            ),
            "bayes_loss_error": float64(
                (*RATIO, "bound"), "standard error of bayes_loss over test images", MSE, within=POSITIVE
            ),
            "bayes_loss_test": float64(
                (*RATIO, "bound"),
                "squared error of E[masked given visible] on the test images and masks",
                MSE,
                within=POSITIVE,
            ),
            "explainable_share": float64(
                ("world", "world_seed", "level"),
                "share of the variance of masked tokens that the latents of the level and above explain",
                within=(None, 1),
            ),
            "halving_error": float64(
                ("world", "world_seed", "level"),
                "root mean square change of posterior means at half the grid step",
                within=POSITIVE,
                optional=True,
            ),
        }
        | PATCHES,
        ordered=(("r2_low", "r2_high"), ("r2_present_low", "r2_present_high")),
    ),
    "verdicts": Kind(
        "The verdict on each claim, the contrasts that decide it, and the rows behind them",
        {
            "verdict": Variable(
                _CLAIM,
                "verdict",
                dtype="int8",
                flags={0: "not_run", 1: "inconclusive", 2: "supported", 3: "contradicted"},
            ),
            "title": _TEXT(_CLAIM, "the claim in a few words"),
            "sentence": _TEXT(_CLAIM, "what came out, in a sentence"),
            "rule": _TEXT(_CLAIM, "statistic, threshold and direction, fixed before any model was trained"),
            "ours": Variable(_CLAIM, "whose claim it is", dtype="int8", flags={0: "the_papers", 1: "ours"}),
            "claim_fingerprint": _TEXT(
                _CLAIM, "digest of the claim's file and of what it shares with others"
            ),
            "p": float64(
                _CLAIM, "exact sign-flip p value over worlds (claims that train models)", within=SHARE
            ),
            "p_holm": float64(_CLAIM, "p after Holm's correction over those claims", within=SHARE),
            "n_worlds": count(_CLAIM, "worlds behind the verdict"),
            "contrast_claim": _TEXT(_CONTRAST, "claim that the contrast belongs to"),
            "contrast_name": _TEXT(_CONTRAST, "what is contrasted"),
            "contrast_units": _TEXT(_CONTRAST, "units of the contrast"),
            "decides": Variable(
                _CONTRAST,
                "whether the verdict rests on the contrast",
                dtype="int8",
                flags={0: "secondary", 1: "decides"},
            ),
            "estimate": float64(_CONTRAST, "mean over worlds"),
            "low": float64(_CONTRAST, "lower end of its 95 % t interval over worlds (ci_world)"),
            "high": float64(_CONTRAST, "upper end of that interval"),
            "threshold": float64(_CONTRAST, "what the contrast is held against"),
            "contrast_worlds": count(_CONTRAST, "worlds in the contrast"),
            "row_contrast": count(_ROW, "contrast that the row belongs to, as position"),
            "row_world": _TEXT(_ROW, "label of the world"),
            "row_world_seed": count(_ROW, "seed of the world's functions"),
            "row_seeds": count(_ROW, "training seeds averaged"),
            "row_value": float64(_ROW, "contrast in that world"),
            "row_low": float64(_ROW, "lower end of its 95 % interval over samples (ci_sample)"),
            "row_high": float64(_ROW, "upper end of that interval"),
            "model_claim": _TEXT(_MODEL, "claim whose deciding contrasts rest on the model"),
            "model_name": _TEXT(_MODEL, "the model: where it is from"),
            "model_world": _TEXT(_MODEL, "label of its world"),
            "model_world_seed": count(_MODEL, "seed of the world's functions"),
            "model_seed": count(_MODEL, "training seed"),
            "model_progress": float64(_MODEL, "share explained of what can be explained, masked tokens"),
            "model_gate": float64(_MODEL, "least progress of a model that is judged; NaN: any"),
        },
        ordered=(("low", "high"), ("row_low", "row_high")),
    ),
}
