"""A model of Hugging Face, made on the spot, read by the probes of a run."""

import numpy as np
import pytest

import maestrata
from maestrata import worlds
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.regression.cell import score_cell
from maestrata.regression.settings import Evaluation
from maestrata.representation.pretrained import Pretrained
from maestrata.results import scores
from maestrata.training.data import initial_model

SETTINGS = Evaluation(
    probe_train=600, test=500, replicates=20, probes=("ridge",), poolings=("global", "aligned")
)


@pytest.fixture(scope="module")
def world():
    return worlds.make("gaussian_tree", 0, leaves=8)


def test_scores_are_those_of_the_sweep(world):
    cfg = MAEConfig(4, 2, 12, width=16, depth=2, decoder_width=16)
    model = initial_model(cfg, 1, 0)
    cell = score_cell(model, world, MaskPatches(world.grid), 4, 0, SETTINGS)
    ds = maestrata.score_model(Pretrained(model), world, SETTINGS)
    for encoder in ("trained", "shuffled"):
        for ratio in ds.eval_ratio.values:
            place = [
                cell.coords[axis].index(at) for axis, at in (("encoder", encoder), ("eval_ratio", ratio))
            ]
            expected = cell.values["r2"][place[0], :, :, place[1]]
            np.testing.assert_array_equal(ds.r2.sel(encoder=encoder, eval_ratio=ratio), expected)
    assert np.isfinite(scores(ds).r2).all() and scores(ds).r2.dims == ("level",)


def test_a_hugging_face_model_is_read(world):
    transformers = pytest.importorskip("transformers", reason="the peer is a development dependency")
    made = maestrata.to_vitmae(
        Pretrained(initial_model(MAEConfig(6, 6, 3 * 8 * 8, width=32, depth=2, decoder_width=16), 2, 0))
    )
    assert isinstance(made, transformers.ViTMAEForPreTraining)
    model = maestrata.from_vitmae(made)
    brief = Evaluation(probe_train=600, test=500, replicates=20, detail="none")
    ds = maestrata.score_model(model, world, brief)
    assert ds.encoder.values.tolist() == ["trained", "random_init", "pixels"]
    assert ds.layer.values.tolist() == [2] and ds.eval_ratio.values.tolist() == ["0"]
    trained, pixels = (scores(ds, encoder=name).r2 for name in ("trained", "pixels"))
    assert np.isfinite(trained).all()
    # random features of a token keep what is linear in it: level 1 is read nearly as from the pixels
    assert trained.sel(level=1) > 0.5 * pixels.sel(level=1) > 0
