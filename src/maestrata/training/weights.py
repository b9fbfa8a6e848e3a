"""Weights of a trained model as a safetensors file: no pickle, and the file says what made it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from maestrata.errors import TrainingError
from maestrata.model.mae import MAE, MAEConfig
from maestrata.model.stored import check_weights, digest
from maestrata.writing import whole


def save_weights(
    model: MAE, path: str | os.PathLike[str], provenance: Mapping[str, str] | None = None
) -> None:
    """Write a model's weights; the file appears under its name only when it is whole.

    Parameters
    ----------
    model : MAE
    path : path-like
    provenance : mapping of str to str, optional
        Where they come from; kept in the file beside the model's sizes.

    Raises
    ------
    TrainingError
        If the file cannot be written (a full disk, a read-only folder).
    """
    state = {name: w.detach().cpu().contiguous() for name, w in sorted(model.named_parameters())}
    about = {**(provenance or {}), "model": asdict(model.cfg)}
    about["sha256"] = digest(save(state), about)
    # one key: safetensors writes several in an order that changes from run to run
    metadata = {"maestrata": json.dumps(about, sort_keys=True)}
    with whole(path, "weights", TrainingError) as temporary:
        temporary.write_bytes(save(state, metadata=metadata))


def load_mae(path: str | os.PathLike[str]) -> MAE:
    """Read a model.

    Parameters
    ----------
    path : path-like
        As `save_weights` wrote it.

    Raises
    ------
    TrainingError
        If the file is not there, truncated, changed since it was written, or not weights of an MAE.
    """
    path = Path(path).expanduser()
    try:
        check_weights(path)
        with safe_open(os.fspath(path), framework="pt") as file:
            about = json.loads((file.metadata() or {})["maestrata"])
            state = {name: file.get_tensor(name) for name in file.keys()}
        cfg = MAEConfig(**about["model"])
        model = MAE(cfg)
        model.load_state_dict(state)
    except TrainingError:
        raise
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise TrainingError(
            f"{path} does not hold the weights of a model: {' '.join(str(error).split())}"
        ) from None
    return model.eval()
