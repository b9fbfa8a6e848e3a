"""All scores of a cell, end to end, on a small model that nobody trained."""

from dataclasses import replace

import numpy as np
import pytest

import maestrata.worlds as worlds
from maestrata.cells import Cell
from maestrata.cubes.io import build
from maestrata.errors import MaskError, ProbeError
from maestrata.masks import MaskPatches
from maestrata.model.mae import MAEConfig
from maestrata.regression.cell import score_cell, score_controls
from maestrata.regression.data import ProbeData
from maestrata.regression.evaluate import Evaluator
from maestrata.regression.probes import ridge
from maestrata.regression.scorebook import ScoreBook
from maestrata.regression.settings import Evaluation
from maestrata.training.data import initial_model
from maestrata.training.progress import Explainable
from maestrata.training.recipe import PlannedCell, Recipe

SETTINGS = Evaluation(
    probe_train=600, test=500, replicates=40, probe_settings={"kernel_ridge": {"points": 150}}
)
CFG = MAEConfig(grid_height=4, grid_width=2, width=16, depth=2, decoder_width=16)


def _dataset(book):
    return build("scores", book.coords, book.arrays())


@pytest.fixture(scope="module")
def world():
    return worlds.make("gaussian_tree", 0, leaves=8)


@pytest.fixture(scope="module")
def cell(world):
    return _dataset(score_cell(initial_model(CFG, 1, 0), world, MaskPatches(world.grid), 2, 0, SETTINGS))


@pytest.fixture(scope="module")
def controls(world):
    return _dataset(score_controls(CFG, world, 0, SETTINGS))


def test_every_score_that_should_be_there_is(cell):
    controls = ["random_init", "pixels", "shuffled", "linear_mae", "positions"]
    assert cell.encoder.values.tolist() == ["trained", *controls]
    assert cell.eval_ratio.values.tolist() == ["0", "0.5", "training"]
    there = np.isfinite(cell.r2.sel(target="latent", level=[1, 2, 3])).all("level")

    def poolings(probe="ridge", **at):
        scores = there.sel(probe=probe, **at)
        return {str(pooling) for pooling in scores.pooling.values if scores.sel(pooling=pooling)}

    every = {"global", "cls", "concat", "aligned"}
    for ratio in ("0", "0.5", "training"):
        own = ratio == "training"
        for layer in range(3):
            last = layer == 2
            expected = every if last else every - {"concat"}
            whole = last and ratio == "0"
            at = {"layer": layer, "eval_ratio": ratio}
            assert poolings(encoder="trained", **at) == expected
            assert poolings(encoder="random_init", **at) == (expected if own else set())
            assert poolings(encoder="pixels", **at) == (every - {"cls"} if own and last else set())
            assert poolings(encoder="shuffled", **at) == (every if last else set())
            assert poolings(encoder="linear_mae", **at) == ({"concat", "aligned"} if last else set())
            hidden = last and ratio != "0"
            assert poolings(encoder="positions", **at) == ({"global", "cls"} if hidden else set())
            for encoder in cell.encoder.values:
                runs = whole and encoder in ("trained", "shuffled")
                assert poolings("kernel_ridge", encoder=encoder, **at) == ({"global"} if runs else set())
                assert poolings("attentive", encoder=encoder, **at) == ({"tokens"} if runs else set())
    # what has latents has noise, but for the shuffled ones
    noise = np.isfinite(cell.r2.sel(target="noise")).all("level")
    assert (noise == there).drop_sel(encoder="shuffled").all()
    assert np.isnan(cell.n_test.sel(encoder="shuffled", target="noise")).all()
    # level 0 is observed: it has noise, and no latent
    assert np.isnan(cell.r2.sel(target="latent", level=0)).all()


def test_numbers_make_sense_in_a_linear_world(cell):
    primary = cell.sel(layer=2, pooling="global", eval_ratio="0", probe="ridge", target="latent")
    assert (primary.r2.sel(encoder="trained", level=[1, 2, 3]) > 0.1).all()
    assert (np.abs(primary.r2.sel(encoder="shuffled", level=[1, 2, 3])) < 0.1).all()
    assert (primary.r2_low <= primary.r2_high).where(np.isfinite(primary.r2_low), True).all()
    assert (primary.n_test.sel(encoder="trained", level=[1, 2, 3]) == 500).all()
    # a linear world: all pixels tell each latent at least as well as the encoder that only mixes them
    aligned = cell.r2.sel(
        pooling="concat", layer=2, eval_ratio="training", probe="ridge", target="latent", level=1
    )
    assert aligned.sel(encoder="pixels") > aligned.sel(encoder="random_init") - 0.05


def test_positions_alone_tell_nothing(cell):
    at = {"layer": 2, "probe": "ridge", "target": "latent", "level": [1, 2, 3]}
    scores = cell.sel(at, drop=True).sel(pooling=["global", "cls"], eval_ratio=["0.5", "training"])
    assert (np.abs(scores.r2.sel(encoder="positions")) < 0.05).all()
    # the same masks with pixels in them tell something
    assert (scores.r2.sel(encoder="trained", pooling="global") > 0.05).all()


def test_the_linear_mae_tells_no_more_than_all_pixels(cell, controls):
    at = {"layer": 2, "eval_ratio": "0", "probe": "ridge", "target": "latent", "level": [1, 2, 3]}
    linear = cell.r2.sel(at | {"encoder": "linear_mae", "pooling": "aligned"})
    assert (linear < controls.r2.sel(at | {"encoder": "pixels", "pooling": "concat"}) + 0.02).all()
    # at the root its few numbers are told from the whole image, as those of the mean pixel are
    assert linear[-1] > controls.r2.sel(at | {"encoder": "pixels", "pooling": "global"})[-1]
    np.testing.assert_array_equal(linear, cell.r2.sel(at | {"encoder": "linear_mae", "pooling": "concat"}))


def test_brief_scores_are_those_of_the_detailed_evaluation(world, cell, controls):
    brief = replace(SETTINGS, detail="none")
    model = initial_model(CFG, 1, 0)
    parts = {
        "cell": (_dataset(score_cell(model, world, MaskPatches(world.grid), 2, 0, brief)), cell),
        "controls": (_dataset(score_controls(CFG, world, 0, brief)), controls),
    }
    for part, whole in parts.values():
        axes = {name: part[name].values.tolist() for name in ("layer", "pooling", "eval_ratio", "target")}
        assert axes == {
            "layer": [2], "pooling": ["concat", "aligned"], "eval_ratio": ["0"], "target": ["latent"]
        }  # fmt: skip
        assert part.probe.values.tolist() == ["ridge"]
        same = whole.sel({axis: part[axis] for axis in (*axes, "encoder", "probe", "level")})
        for name in ("r2", "r2_low", "r2_boot", "n_test"):
            np.testing.assert_allclose(part[name], same[name], atol=1e-5)
    assert parts["cell"][0].encoder.values.tolist() == ["trained", "linear_mae"]


def test_detail_is_of_the_first_seed_unless_it_is_asked_for():
    asked = {detail: Evaluation(detail=detail) for detail in ("first", "all", "none")}
    first, others = ({d: s.of_world("w", first).detail for d, s in asked.items()} for first in (True, False))
    assert first == {"first": "all", "all": "all", "none": "none"}
    assert others == {"first": "none", "all": "all", "none": "none"}
    named = Evaluation(detail_worlds=("w",))
    assert [named.of_world(world, True).detail for world in "wv"] == ["all", "none"]
    assert named.of_world("w", True).detail_worlds is None  # no job is given those of other worlds
    with pytest.raises(ProbeError, match="detail='some' must be one of: all, first, none"):
        Evaluation(detail="some")


def test_aligned_counts_the_images_in_which_the_node_is_visible(cell, world):
    n = cell.n_test.sel(encoder="trained", layer=2, pooling="aligned", probe="ridge", target="noise")
    assert (n.sel(eval_ratio="0") == 500).all()
    # 2 of 8 tokens visible: a token a quarter of the time, the root always
    assert 80 < n.sel(eval_ratio="training", level=0) < 125
    assert n.sel(eval_ratio="training", level=3) == 500
    assert (np.diff(n.sel(eval_ratio="training")) > 0).all()


def test_scores_of_each_node(cell, world):
    node = cell.r2_node.sel(encoder="trained", pooling="aligned", target="latent")
    names = list(world.node_names(1))
    mean = cell.r2.sel(
        encoder="trained", layer=2, pooling="aligned", eval_ratio="0", probe="ridge", target="latent"
    )
    np.testing.assert_allclose(node.sel(node=names).mean(), mean.sel(level=1), rtol=1e-5)
    assert node.node.values.tolist()[:2] == ["x0", "x1"] and node.node.values.tolist()[-1] == "z3.0"


def test_a_second_run_gives_the_same_bits(cell, world):
    again = _dataset(score_cell(initial_model(CFG, 1, 0), world, MaskPatches(world.grid), 2, 0, SETTINGS))
    assert cell.identical(again)


def test_training_masks_that_are_the_common_ones_are_read_once_and_told_twice(world):
    settings = Evaluation(probe_train=200, test=200, replicates=5, probes=("ridge",))
    scores = _dataset(score_cell(initial_model(CFG, 1, 0), world, MaskPatches(world.grid), 4, 0, settings))
    for name in ("trained", "shuffled", "linear_mae", "positions"):
        half, own = (
            scores.sel(encoder=name, eval_ratio=r, drop=True).drop_vars("r2_node")
            for r in ("0.5", "training")
        )
        assert half.identical(own) and np.isfinite(half.r2).any()


def test_more_images_than_fit_in_memory_at_once_change_nothing(world, monkeypatch):
    import maestrata.regression.encoders as encoders

    settings = Evaluation(probe_train=200, test=200, replicates=5, probes=("ridge",))
    arguments = (initial_model(CFG, 1, 0), world, MaskPatches(world.grid), 2, 0, settings)
    whole = _dataset(score_cell(*arguments))
    split = encoders.layer_passes
    monkeypatch.setattr(encoders, "layer_passes", lambda layers, size: split(layers, size, budget=1))
    assert whole.identical(_dataset(score_cell(*arguments)))


def test_one_array_under_two_poolings_is_scored_once(world, monkeypatch):
    settings = Evaluation(probe_train=200, test=200, replicates=5, probes=("ridge",))
    data = ProbeData.draw(world, 200, 200, 5)
    book = ScoreBook(world, ["it"], 0, ["0"], settings)
    features, fits = data.images.reshape(400, -1), []
    fit = ridge.Probe.fit
    monkeypatch.setattr(ridge.Probe, "fit", lambda *args: fits.append(1) or fit(*args))

    def encode(masks, poolings):
        yield 0, "global", features
        yield 0, "cls", features
        yield 0, "concat", features.copy()

    Evaluator(data, settings).score(book, "it", encode, [data.common_masks(0)])
    assert len(fits) == 2
    one, other, third = (book.values["r2"][0, 0, k] for k in (0, 1, 2))  # global, cls, concat
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(one, third)


def test_discrete_latents_have_an_accuracy():
    world = worlds.make("grammar_tree", 0, leaves=8, symbols=5, productions=1)
    settings = Evaluation(probe_train=400, test=400, replicates=5, probes=("ridge",))
    scores = _dataset(
        score_cell(initial_model(CFG, 0, 0), world, MaskPatches(world.grid, 2, 1), 2, 0, settings)
    )
    one = scores.sel(layer=2, pooling="concat", eval_ratio="0", probe="ridge", target="latent")
    assert (one.accuracy.sel(encoder="trained", level=[1, 2, 3]) > 0.9).all()
    # labels of other images tell the root, one of five symbols equally often, as well as chance does
    assert abs(one.accuracy.sel(encoder="shuffled", level=3) - 0.2) < 0.1
    # the root's noise is two choices at once, which have no one label
    assert np.isnan(scores.accuracy.sel(target="noise", level=3)).all()


def test_controls_fill_what_the_cell_leaves_out(cell, controls):
    assert controls.encoder.values.tolist() == ["random_init", "pixels", "posterior"]
    assert controls.eval_ratio.values.tolist() == ["0", "0.5"]
    at = {"layer": 2, "pooling": "global", "probe": "ridge", "target": "noise", "level": [0, 1, 2, 3]}
    both = ["random_init", "pixels"]
    assert np.isfinite(controls.r2.sel(at).sel(encoder=both)).all()
    assert np.isnan(cell.r2.sel(at | {"encoder": both, "eval_ratio": controls.eval_ratio})).all()
    assert np.isfinite(cell.r2.sel(at | {"encoder": both, "eval_ratio": "training"})).all()
    kernel = np.isfinite(controls.r2.sel(probe="kernel_ridge", target="noise")).all("level")
    assert kernel.sum() == 2 and kernel.sel(encoder=both).sel(layer=2, pooling="global", eval_ratio="0").all()


def test_trained_controls_are_there_where_images_are_given(world):
    settings = Evaluation(probe_train=300, test=300, replicates=5, probes=("ridge",), control_images=512)
    scores = _dataset(score_controls(CFG, world, 0, settings))
    names = ["random_init", "pixels", "posterior", "autoencoder", "supervised"]
    assert scores.encoder.values.tolist() == names
    r2 = scores.r2.sel(target="latent", level=[1, 2, 3], probe="ridge", encoder=["autoencoder", "supervised"])
    assert np.isfinite(r2.sel(layer=2, pooling=["global", "cls", "aligned", "concat"])).all()
    assert np.isnan(r2.sel(layer=[0, 1])).all()


def test_the_null_is_read_as_the_trained_model_is(world):
    settings = Evaluation(probe_train=300, test=300, replicates=5, probes=("ridge",))
    planned = PlannedCell(Cell("w", 0, "1x1", 4, 0), Recipe(images=640))
    scores = _dataset(score_controls(CFG, world, 0, settings, null=planned))
    at = {"target": "latent", "level": [1, 2, 3], "probe": "ridge", "layer": 2}
    null, start = (
        scores.r2.sel(at | {"pooling": ["aligned", "concat"], "encoder": encoder})
        for encoder in ("null_trained", "random_init")
    )
    assert np.isfinite(null).all() and not (null == start).any()


def test_progress_is_that_of_the_model_under_its_own_masks(cell, world):
    model, patches = initial_model(CFG, 1, 0), MaskPatches(world.grid)
    reached = Explainable.of(world, patches, 2, SETTINGS.test, SETTINGS.replicates).progress(model)
    expected = (reached.loss[0], reached.variance[0], reached.bayes[0], reached.share[0])
    names = ("test_loss", "test_variance", "test_bayes_loss", "progress")
    assert [float(cell[name]) for name in names] == list(map(float, expected))
    assert cell.progress_low < cell.progress < cell.progress_high < 0.1


def test_a_model_of_normalised_pixels_has_no_progress(world, caplog):
    settings = Evaluation(probe_train=200, test=200, replicates=5, probes=("ridge",))
    model = initial_model(replace(CFG, norm_pixels=True), 1, 0)
    with caplog.at_level("INFO"):
        scores = _dataset(score_cell(model, world, MaskPatches(world.grid), 2, 0, settings))
    assert np.isnan([scores.test_loss, scores.progress, scores.progress_low]).all()
    assert scores.test_bayes_loss > 0 and "norm_pixels" in caplog.text


def test_differences_between_encoders_are_paired(cell, controls):
    """All jobs of a world share bootstrap weights: what two encoders have in common falls out."""
    at = {
        "layer": 2,
        "pooling": "global",
        "eval_ratio": "0",
        "probe": "ridge",
        "target": "latent",
        "level": 2,
    }
    trained, start = (
        cell.r2_boot.sel(encoder="trained", **at),
        controls.r2_boot.sel(encoder="random_init", **at),
    )
    assert np.corrcoef(trained, start)[0, 1] > 0.5
    assert (trained - start).std() < 0.8 * np.hypot(trained.std(), start.std())


def test_bad_settings_end_before_anything_is_computed(world):
    model, patches = initial_model(CFG, 0, 0), MaskPatches(world.grid)
    for bad, message in (
        ({"probes": ("lasso",)}, "'lasso' must be one of"),
        ({"probes": ()}, "probes=.* must not be empty"),
        ({"probes": ("ridge",), "probe_settings": {"pls": {}}}, "'pls' must be one of: ridge"),
        ({"probe_train": 50}, r"probe_train=50 must lie in \[100, "),
        ({"test": 50}, r"test=50 must lie in \[100, "),
        ({"control_images": -1}, r"control_images=-1 must lie in \[0, "),
        ({"control_images": 63}, "control_images=63 must be 0 .* at least one batch of 64"),
    ):
        with pytest.raises(ProbeError, match=message):
            Evaluation(**bad)
    with pytest.raises(ProbeError, match="setting 'alpha' must be one of"):
        score_cell(model, world, patches, 2, 0, Evaluation(probe_settings={"ridge": {"alpha": 1}}))
    with pytest.raises(MaskError, match="visible=8"):
        score_cell(model, world, patches, 8, 0, Evaluation(probe_train=200, test=200, replicates=2))
    with pytest.raises(ProbeError, match="do not fit a model"):
        score_cell(initial_model(MAEConfig(), 0, 0), world, patches, 2, 0, SETTINGS)
