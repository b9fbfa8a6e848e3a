"""Joining: every value at its place, gains paired, missing cells NaN, the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maestrata.cubes.collect import collect
from maestrata.cubes.io import build, open_cube, write_cube
from maestrata.cubes.manifest import Manifest
from maestrata.cubes.schema import KINDS
from maestrata.errors import CubeError
from maestrata.steps import collect as step

Sweep = Callable[..., Manifest]


def regression(manifest: Manifest, tmp_path: Path) -> Any:
    collect("regression", manifest, tmp_path / "cube.nc", {"fingerprint": "f"})
    return open_cube(tmp_path / "cube.nc")


def test_values_stand_at_their_labels(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep()
    cube = regression(manifest, tmp_path)
    assert cube.r2.dims[:6] == ("world", "world_seed", "patch_size", "offset", "mask_ratio", "seed")
    assert cube.mask_ratio.values.tolist() == [0.48, 0.5, 0.9]
    for entry in manifest.entries:
        cell = entry.cell
        own = open_cube(manifest.path("scores", cell))
        control = open_cube(manifest.path("controls", cell))
        for ratio in entry.mask_ratios:
            at = cube.sel(
                world="additive", world_seed=cell.world_seed, patch_size=1, offset=0, mask_ratio=ratio, seed=0
            )
            np.testing.assert_array_equal(at.r2.sel(encoder="trained"), own.r2.sel(encoder="trained"))
            reference = at.r2.sel(encoder="null_trained")
            np.testing.assert_array_equal(
                reference.sel(eval_ratio="0"), control.r2.sel(encoder="null_trained", eval_ratio="0")
            )
            np.testing.assert_array_equal(
                reference.sel(eval_ratio="training"),
                own.r2.sel(encoder="null_trained", eval_ratio="training"),
            )
            assert float(at.realised_ratio.squeeze()) == entry.realised_ratio
            assert int(at.status) == 1 and float(at.images_seen) == 1000
            assert float(at.progress) == entry.cell.visible / 10 and float(at.test_loss) == 0.5
    chosen = cube.r2.sel(mask_ratio=0.5, level=4)
    assert chosen.size == cube.r2.size / 3 / 4


def test_gain_is_paired(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep()
    cube = regression(manifest, tmp_path)
    entry = manifest.entries[0]
    cell = entry.cell
    own, control = open_cube(manifest.path("scores", cell)), open_cube(manifest.path("controls", cell))
    where = {"layer": 1, "pooling": "global", "probe": "ridge", "target": "latent", "level": 3}
    for ratio, source in (("0", control), ("training", own)):
        boot = (
            own.r2_boot.sel(encoder="trained", eval_ratio=ratio, **where).values
            - source.r2_boot.sel(encoder="null_trained", eval_ratio=ratio, **where).values
        )
        row = cube.sel(
            world_seed=cell.world_seed,
            mask_ratio=entry.mask_ratios[0],
            encoder="trained",
            eval_ratio=ratio,
            **where,
        ).squeeze()
        expected = [
            float(own.r2.sel(encoder="trained", eval_ratio=ratio, **where))
            - float(source.r2.sel(encoder="null_trained", eval_ratio=ratio, **where)),
            *np.quantile(boot, [0.025, 0.975]),
        ]
        np.testing.assert_allclose([row.gain, row.gain_low, row.gain_high], expected, atol=1e-6)
    np.testing.assert_array_equal(
        cube.gain.sel(encoder="null_trained"), np.zeros_like(cube.gain.sel(encoder="null_trained"))
    )


def test_missing_cell_is_nan_with_a_status(sweep: Sweep, tmp_path: Path) -> None:
    cube = regression(sweep(missing=((1, 2),)), tmp_path)
    status = cube.status.sel(world="additive", patch_size=1, offset=0, seed=0)
    assert status.sel(world_seed=1, mask_ratio=0.9) == 2
    assert status.sel(world_seed=0, mask_ratio=0.9) == 1
    missing = cube.sel(world_seed=1, mask_ratio=0.9)
    assert all(
        np.isnan(missing[name]).all()
        for name in ("r2", "r2_low", "gain", "n_test", "images_seen", "progress")
    )
    assert np.isfinite(cube.r2.sel(world_seed=0, mask_ratio=0.9, encoder="trained")).all()


def test_cells_outside_the_grid_have_status_0(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep()
    one = manifest.cells[0]
    entries = [e for e in manifest.entries if (e.cell.world_seed, e.cell.visible) != (1, 2)]
    cube = regression(Manifest(manifest.paths, tuple(entries)), tmp_path)
    assert int(cube.status.sel(world_seed=1, mask_ratio=0.9).squeeze()) == 0
    assert int(cube.status.sel(world_seed=one.world_seed, mask_ratio=0.5).squeeze()) == 1


def test_no_file_at_all(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep(missing=((0, 8), (0, 2), (1, 8), (1, 2)))
    with pytest.raises(CubeError, match="none of the 4 files of kind 'scores' is there"):
        regression(manifest, tmp_path)
    assert not (tmp_path / "cube.nc").exists()


def test_a_damaged_file_is_no_missing_cell(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep()
    path = manifest.path("scores", manifest.cells[-1])
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(CubeError, match=str(path)):
        regression(manifest, tmp_path)
    assert not (tmp_path / "cube.nc").exists()


def test_missing_controls_leave_gains_open(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep()
    manifest.path("controls", manifest.cells[0]).unlink()
    cube = regression(manifest, tmp_path).sel(world_seed=0, encoder="trained")
    assert np.isfinite(cube.r2).all()
    assert np.isnan(cube.gain.sel(eval_ratio="0")).all()
    assert np.isfinite(cube.gain.sel(eval_ratio="training")).all()


def test_axes_are_the_union_of_the_files(sweep: Sweep, scores: Callable[..., Any], tmp_path: Path) -> None:
    manifest = sweep()
    # The last file has a level, a layer and a probe that no other has: found only when it is reached.
    last = manifest.cells[-1]
    other = scores(5, level=[1, 2, 3, 4, 5], layer=[0, 1, 2], probe=["ridge", "kernel_ridge"])
    write_cube(other, manifest.path("scores", last))
    cube = regression(manifest, tmp_path)
    assert cube.level.values.tolist() == [1, 2, 3, 4, 5]
    assert cube.probe.values.tolist() == ["ridge", "kernel_ridge"]
    at = cube.sel(world_seed=last.world_seed, mask_ratio=0.9, encoder="trained").squeeze(drop=True)
    np.testing.assert_array_equal(at.r2, other.r2.sel(encoder="trained").squeeze())
    first = cube.sel(world_seed=0, mask_ratio=0.5, encoder="trained")
    assert (
        np.isnan(first.r2.sel(level=5)).all()
        and np.isfinite(first.r2.sel(level=4, layer=1, probe="ridge")).all()
    )


def test_brief_cells_join_those_read_in_detail(
    sweep: Sweep, scores: Callable[..., Any], tmp_path: Path
) -> None:
    manifest = sweep()
    last = manifest.cells[-1]
    brief = scores(5, layer=[1], eval_ratio=["0"])
    write_cube(brief, manifest.path("scores", last))
    cube = regression(manifest, tmp_path)
    assert cube.layer.values.tolist() == [0, 1]
    at = cube.sel(world_seed=last.world_seed, mask_ratio=0.9, encoder="trained").squeeze(drop=True)
    own = brief.sel(encoder="trained").squeeze()
    np.testing.assert_array_equal(at.r2.sel(layer=1, eval_ratio="0"), own.r2)
    assert np.isfinite(at.gain_low.sel(layer=1, eval_ratio="0")).all()
    assert np.isnan(at.r2.sel(layer=0)).all() and np.isnan(at.r2.sel(eval_ratio="training")).all()


def test_replicates_must_match(sweep: Sweep, scores: Callable[..., Any], tmp_path: Path) -> None:
    manifest = sweep()
    write_cube(scores(1, replicates=39), manifest.path("scores", manifest.cells[-1]))
    with pytest.raises(CubeError, match="39 replicates and the controls 40"):
        regression(manifest, tmp_path)


def test_same_bytes(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep(missing=((0, 2),))
    for kind in ("regression", "training", "reconstructions"):
        one, two = tmp_path / "one.nc", tmp_path / "two.nc"
        collect(kind, manifest, one, {"fingerprint": "f"})
        collect(kind, manifest, two, {"fingerprint": "f"})
        assert one.read_bytes() == two.read_bytes()


def test_training(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep(missing=((1, 8),))
    collect("training", manifest, tmp_path / "t.nc")
    cube = open_cube(tmp_path / "t.nc").sel(world="additive", patch_size=1, offset=0, seed=0)
    assert cube.sizes["record"] == 10  # the longest history
    long, short = cube.sel(world_seed=0, mask_ratio=0.5), cube.sel(world_seed=0, mask_ratio=0.9)
    np.testing.assert_allclose(long.loss, 1 / np.arange(1, 11), rtol=1e-6)
    np.testing.assert_allclose(short.images_seen.dropna("record"), 10 * np.arange(1, 5))
    assert np.isnan(cube.sel(world_seed=1, mask_ratio=0.5).loss).all()
    assert int(cube.status.sel(world_seed=1, mask_ratio=0.5)) == 2


def test_a_longer_history_found_late(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep()
    steps = np.arange(1, 31)
    history = {"loss": 1 / steps, "learning_rate": 0 * steps, "images_seen": steps}
    write_cube(build("history", {"step": steps}, history), manifest.path("history", manifest.cells[-1]))
    collect("training", manifest, tmp_path / "t.nc")
    cube = open_cube(tmp_path / "t.nc")
    assert cube.sizes["record"] == 30
    assert int(np.isfinite(cube.loss.sel(world_seed=0, mask_ratio=0.5)).sum()) == 10


def test_reconstructions_of_worlds_of_two_sizes(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep()
    image = np.zeros((2, 3, 8, 8), np.float32)
    shown = {"image": image, "prediction": image, "visible": np.zeros((2, 8, 8), np.int8)}
    write_cube(build("reconstruction", {}, shown), manifest.path("reconstruction", manifest.cells[-1]))
    collect("reconstructions", manifest, tmp_path / "r.nc")
    cube = open_cube(tmp_path / "r.nc")
    small = cube.image.sel(world_seed=0, mask_ratio=0.5).squeeze()
    assert cube.sizes["y"] == 8
    assert (small[..., :4, :4] == 8).all() and np.isnan(small[..., 4:, :]).all()
    assert (cube.visible.sel(world_seed=1, mask_ratio=0.9) == 0).all()


def limits(world: str, seed: int, height: int, r2: float) -> Any:
    coords = {"world": [world], "world_seed": [seed], "patch_size": [height], "offset": [0],
              "mask_ratio": [0.5],
              "eval_ratio": ["0"], "bound": ["exact"], "target": ["latent"], "level": [1, 2]}  # fmt: skip
    data = {"r2": np.full((1,) * 8 + (2,), r2), "patch_height": [height], "patch_width": [1],
            "realised_ratio": np.full((1, 1, 1, 1), 0.5)}  # fmt: skip
    for name, variable in KINDS["limits"].variables.items():
        if name not in data and not variable.optional:
            data[name] = np.full([len(coords[dim]) for dim in variable.dims], np.nan)
    return build("limits", coords, data)


def worlds_manifest(tmp_path: Path) -> Manifest:
    entry = {"patch": "1x1", "visible": 1, "mask_ratio": 0.5, "realised_ratio": 0.5, "seed": 0, "images": 1}
    cells = [entry | {"world": "b", "world_seed": [0, 1]}, entry | {"world": "a", "world_seed": 0}]
    return Manifest.parse(
        json.dumps({"paths": {"limits": f"{tmp_path}/{{world}}{{world_seed}}.nc"}, "cells": cells})
    )


def test_files_of_worlds_join_by_label(tmp_path: Path) -> None:
    write_cube(limits("b", 0, 1, 0.5), tmp_path / "b0.nc")
    write_cube(limits("a", 0, 2, 0.25), tmp_path / "a0.nc")
    counts = collect("limits", worlds_manifest(tmp_path), tmp_path / "limits.nc")
    assert counts == {"done": 2, "missing": 1}
    cube = open_cube(tmp_path / "limits.nc")
    assert cube.world.values.tolist() == ["b", "a"]  # the order of the config
    assert (cube.r2.sel(world="b", patch_size=1) == 0.5).all()
    assert np.isnan(cube.r2.sel(world="b", patch_size=2)).all()
    assert (cube.r2.sel(world="a", patch_size=2) == 0.25).all()
    assert cube.patch_height.values.tolist() == [1, 2]


def test_files_that_contradict_each_other(tmp_path: Path) -> None:
    write_cube(limits("b", 0, 1, 0.5), tmp_path / "b0.nc")
    write_cube(limits("b", 0, 1, 0.75), tmp_path / "b1.nc")
    with pytest.raises(CubeError, match=r"r2=0\.75, in another file 0\.5"):
        collect("limits", worlds_manifest(tmp_path), tmp_path / "limits.nc")


def test_two_shapes_of_one_size(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep()
    entry = {"world": "additive", "world_seed": 5, "visible": 4, "mask_ratio": 0.5,
             "realised_ratio": 0.5, "seed": 0, "images": 1}  # fmt: skip
    cells = [entry | {"patch": "2x1"}, entry | {"patch": "1x2", "seed": 1}]
    clash = Manifest.parse(json.dumps({"paths": manifest.paths, "cells": cells}))
    with pytest.raises(CubeError, match="patch_height is 2 and 1"):
        collect("training", Manifest(manifest.paths, (*manifest.entries, *clash.entries)), tmp_path / "t.nc")


def test_one_cell_twice(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep()
    with pytest.raises(CubeError, match="two cells stand at"):
        collect("training", Manifest(manifest.paths, manifest.entries * 2), tmp_path / "t.nc")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mask_ratio": 1.5}, r"cells\[0\]: ratio 1.5 must lie in \(0, 1\)"),
        ({"patch": "big"}, "mask patch 'big' must read HEIGHTxWIDTH"),
        ({"seed": "zero"}, "seed='zero' must be a number"),
        ({"world_seed": []}, "world_seed must not be empty"),
        ({"colour": 1}, "exactly the keys"),
    ],
)
def test_manifest_that_is_wrong(change: dict[str, Any], message: str) -> None:
    entry = {"world": "a", "world_seed": 0, "patch": "1x1", "visible": 1, "mask_ratio": 0.5,
             "realised_ratio": 0.5, "seed": 0, "images": 1}  # fmt: skip
    with pytest.raises(CubeError, match=message):
        Manifest.parse(json.dumps({"paths": {}, "cells": [entry | change]}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "keys 'paths' and 'cells'"),
        ('{"paths": {"weights": "x"}, "cells": []}', "'weights' must be one of"),
        ('{"paths": {"scores": "{colour}"}, "cells": []}', "is no template"),
        ('{"paths": {}, "cells": []}', "at least one entry"),
    ],
)
def test_text_that_is_no_manifest(text: str, message: str) -> None:
    with pytest.raises(CubeError, match=message):
        Manifest.parse(text)


def test_step(sweep: Sweep, tmp_path: Path) -> None:
    manifest = sweep(missing=((0, 2),))
    entries = [
        e.cell.json
        | {"mask_ratio": list(e.mask_ratios), "realised_ratio": e.realised_ratio, "images": e.images}
        for e in manifest.entries
    ]
    text = json.dumps({"paths": manifest.paths, "cells": entries})
    (tmp_path / "manifest.json").write_text(text)
    for given, name in ((text, "a.nc"), (str(tmp_path / "manifest.json"), "b.nc")):
        step.main(
            [
                "--kind",
                "regression",
                "--manifest",
                given,
                "--output",
                str(tmp_path / name),
                "--fingerprint",
                "abc",
            ]
        )
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    cube = open_cube(tmp_path / "a.nc")
    assert cube.attrs["fingerprint"] == "abc"
    assert json.loads(cube.attrs["parts_config"]) == {"visible": {"any of": [2, 8]}, "lr": 1}
    assert str(tmp_path) not in str(cube.attrs)
