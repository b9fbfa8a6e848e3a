"""Models from files and from elsewhere: what their images may look like, and tokens of another size."""

import json

import numpy as np
import pytest
import torch

import maestrata
from maestrata import worlds
from maestrata.errors import ProbeError, TrainingError
from maestrata.geometry import TokenGrid, patchify, unpatchify
from maestrata.model.mae import MAE, MAEConfig
from maestrata.model.sizes import Tokens
from maestrata.representation.encode import represent
from maestrata.representation.pretrained import Pretrained
from maestrata.representation.rescaled import Rescaled

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
CFG = MAEConfig(4, 2, 12, width=16, depth=2, decoder_width=16)


def _model(cfg=CFG, **scale):
    return Pretrained(MAE(cfg).initialise(torch.Generator().manual_seed(1)), **scale)


def _images(n=6):
    return np.random.default_rng(0).standard_normal((n, 3, 8, 4), dtype=np.float32)


def test_every_layer_and_the_last_by_default():
    model, images = _model(), _images()
    layers = represent(model.mae, images)
    assert model.encode(images).shape == (6, 1 + 8, 16) and model.depth == 2
    np.testing.assert_array_equal(model.encode(images), layers[2])
    for layer, tokens in layers.items():
        np.testing.assert_array_equal(model.encode(images, layer=layer), tokens)
    with pytest.raises(ProbeError, match=r"layer=3 must lie in 0\.\.2"):
        model.encode(images, layer=3)


def test_channels_first_and_last_are_one():
    model, images = _model(), _images()
    last = np.moveaxis(images, 1, -1)
    np.testing.assert_array_equal(model.encode(last), model.encode(images))
    np.testing.assert_array_equal(model.encode(last, channels="last"), model.encode(images))
    with pytest.raises(ProbeError, match=r"\(6, 8, 4, 3\) must be"):
        model.encode(last, channels="first")
    grey = _model(MAEConfig(4, 2, 4, width=16, decoder_width=16))
    np.testing.assert_array_equal(grey.encode(images[:, 0]), grey.encode(images[:, :1]))


def test_what_fits_either_way_must_be_told():
    model = _model(MAEConfig(1, 1, 27, width=16, decoder_width=16))
    images = _images()[:, :, :3, :3]
    with pytest.raises(ProbeError, match=r"\(6, 3, 3, 3\) fit the model either way"):
        model.encode(images)
    assert not np.array_equal(model.encode(images, channels="first"), model.encode(images, channels="last"))


def test_eight_bits_are_normalised(tmp_path):
    model = _model(mean=MEAN, std=STD)
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 4), dtype=np.uint8)
    scaled = (images / 255 - np.array(MEAN)[:, None, None]) / np.array(STD)[:, None, None]
    np.testing.assert_allclose(model.encode(images), model.encode(scaled), atol=1e-5)
    model.save(tmp_path / "w.safetensors")
    again = maestrata.load_model(tmp_path / "w.safetensors")
    assert (again.mean, again.std) == (MEAN, STD)
    np.testing.assert_array_equal(again.encode(images), model.encode(images))
    other = maestrata.load_model(tmp_path / "w.safetensors", mean=STD)
    assert (other.mean, other.std) == (STD, STD)


def test_a_run_on_images_of_8_bit_says_their_scale(tmp_path):
    from maestrata.training.weights import save_weights

    for deviation, known in ((51.0, (0.2,) * 3), (0.3, None)):
        data = {"mean": [102.0] * 3, "deviation": [deviation] * 3}
        about = {"config": json.dumps({"world_data": data})}
        save_weights(_model().mae, tmp_path / "w.safetensors", about)
        model = maestrata.load_model(tmp_path / "w.safetensors")
        assert model.std == known and model.mean == (None if known is None else (0.4,) * 3)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 3, 8, 4), np.uint8), "need mean and deviation of each channel"),
        (np.zeros((2, 3, 8, 4), np.int64), "of type int64 must be uint8 or floating point"),
        (np.full((2, 3, 8, 4), 255.0), "hold 255: they must be finite and of the scale"),
        (np.full((2, 3, 8, 4), np.nan), "hold nan: they must be finite"),
        (np.zeros((2, 3, 8, 8)), r"\(2, 3, 8, 8\) must be .* fit a model of 4x2 tokens of 12 values"),
        (np.zeros((2, 0, 8, 4)), r"\(2, 0, 8, 4\) must be"),
        (np.zeros((8, 4)), r"\(8, 4\) must be"),
    ],
)
def test_images_that_are_none(images, message):
    with pytest.raises(ProbeError, match=message) as error:
        _model().encode(images)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ids", [[[0, 8]], [[1, 0]], [[1, 1]], [[]], [[0.5]], [0, 1]])
def test_masks_that_are_none(ids):
    with pytest.raises(ProbeError, match=r"visible_ids of shape .* must hold token ids in 0\.\.7"):
        _model().encode(_images(1), visible_ids=np.array(ids))


def test_scales_that_are_none():
    for scale in ({"mean": MEAN}, {"mean": MEAN, "std": STD[:2]}):
        with pytest.raises(ProbeError, match="both must be there"):
            _model(**scale)
    with pytest.raises(ProbeError, match="numbers above 0"):
        _model(mean=MEAN, std=(1, 1, 0))
    with pytest.raises(ProbeError, match="for each of the 3 channels"):
        _model(mean=(0.5,), std=(0.5,)).encode(np.zeros((2, 3, 8, 4), np.uint8))


def test_no_file(tmp_path):
    with pytest.raises(TrainingError, match="does not hold the weights"):
        maestrata.load_model(tmp_path / "none.safetensors")


# ---------------------------------------------------------------------------------- tokens of another size
LARGE = MAEConfig(7, 7, 3 * 16, width=16, depth=2, decoder_width=16)  # tokens of 4 x 4 pixels


def _rescaled(channels=3, side=2):
    model = _model(LARGE)
    return model, Rescaled(model.mae, 3, Tokens(4, 2, channels * side**2), channels)


def test_a_token_becomes_a_square_of_tokens():
    """A world's 4 x 2 tokens of 4 pixels become 4 x 2 tokens, as many of 7 x 7 as fit: the model itself."""
    model, rescaled = _rescaled(side=4)
    images = np.random.default_rng(0).standard_normal((5, 3, 16, 8), dtype=np.float32)
    tokens = torch.from_numpy(patchify(images, 4))
    small = MAE(MAEConfig(4, 2, 48, width=16, depth=2, decoder_width=16))
    small.load_state_dict(model.mae.state_dict())
    assert rescaled.factor == 1
    torch.testing.assert_close(rescaled.encode(tokens), small.encode(tokens))
    ids = torch.tensor([[1, 4, 6]]).expand(5, -1)
    torch.testing.assert_close(rescaled.encode(tokens, ids), small.encode(tokens, ids))


def test_squares_are_where_their_token_is():
    """Of 2 x 2 tokens of 8 pixels each is 3 x 3 tokens of 4: enlarged alone, then averaged over."""
    rescaled = Rescaled(_model(LARGE).mae, 3, Tokens(2, 2, 3 * 12**2), 3)
    images = np.random.default_rng(0).standard_normal((5, 3, 24, 24), dtype=np.float32)
    large = rescaled.model.encode(torch.from_numpy(patchify(images, 4)))  # nothing to enlarge
    squares = large[:, 1:].unflatten(1, (2, 3, 2, 3)).mean((2, 4)).flatten(1, 2)
    made = rescaled.encode(torch.from_numpy(patchify(images, 12)))
    assert rescaled.factor == 3
    torch.testing.assert_close(made, torch.cat([large[:, :1], squares], 1))


def test_masked_pixels_leave_no_trace_when_enlarged():
    _, rescaled = _rescaled()
    grid, images = TokenGrid(4, 2), _images()
    visible = np.array([[0, 3, 5]] * 6)
    tokens = patchify(images, 2).copy()
    tokens[:, [1, 2, 4, 6, 7]] = 7
    before, after = (represent(rescaled, x, visible) for x in (images, unpatchify(tokens, grid, 2)))
    for layer in before:
        assert before[layer].shape == (6, 1 + 3, 16)
        np.testing.assert_array_equal(before[layer], after[layer])
    tokens[:, 3] = 7
    assert not np.array_equal(represent(rescaled, unpatchify(tokens, grid, 2), visible)[2], before[2])


def test_grey_is_repeated():
    _, rescaled = _rescaled()
    _, grey = _rescaled(channels=1)
    images = _images()
    images[:] = images[:, :1]
    np.testing.assert_array_equal(represent(grey, images[:, :1])[2], represent(rescaled, images)[2])


def test_worlds_that_do_not_fit():
    with pytest.raises(ProbeError, match=r"a world of 8x4 tokens is too large for a model of 7x7"):
        _model(LARGE).at_tokens_of(worlds.make("gaussian_tree", 0, leaves=32))
    with pytest.raises(ProbeError, match=r"images of 2 channels do not fit a model of 3"):
        Rescaled(_model(LARGE).mae, 3, Tokens(2, 2, 8), 2)


def test_a_model_of_the_world_stays_itself():
    model = _model()
    assert model.at_tokens_of(worlds.make("gaussian_tree", 0, leaves=8)) is model.mae
