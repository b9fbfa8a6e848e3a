"""Encoders are declared in one place: an entry there is scored, and has its place in the cube."""

import subprocess
import sys
from pathlib import Path

import maestrata
from maestrata.cubes.schema import AXES
from maestrata.regression.encoders import ENCODERS, NAMES, TRAINED

SCRIPT = """
import numpy as np
from maestrata.cubes.io import build
from maestrata.model.mae import MAEConfig
from maestrata.regression.cell import score_controls
from maestrata.regression.settings import Evaluation
from maestrata.worlds import make

world = make("gaussian_tree", 0, leaves=4)
settings = Evaluation(probe_train=200, test=200, replicates=3, probes=("ridge",))
book = score_controls(MAEConfig(2, 2, width=8, depth=1, decoder_width=8), world, 0, settings)
scores = build("scores", book.coords, book.arrays()).r2.sel(encoder="last_token", target="latent", level=1)
assert np.isfinite(scores.sel(layer=1, pooling="cls")).all() and np.isnan(scores.sel(layer=0)).all()
"""


def test_every_encoder_is_declared_once():
    assert sorted(encoder.name for encoder in ENCODERS) == sorted(NAMES)
    assert set(TRAINED) <= set(NAMES)
    assert AXES["encoder"].allowed == NAMES
    for encoder in ENCODERS:
        # what is fitted to permuted labels has no features of its own
        assert (encoder.encode is None) == (encoder.shuffles in NAMES)


def test_a_control_is_added_in_one_file(tmp_path):
    """A copy of the package whose `encoders` has one more: pixels of the last token, whatever the masks."""
    package = Path(maestrata.__file__).parent
    copy = tmp_path / "maestrata"
    copy.mkdir()
    for path in package.iterdir():
        if path.name != "regression":
            (copy / path.name).symlink_to(path)
    (copy / "regression").mkdir()
    for path in (package / "regression").iterdir():
        if path.name != "encoders.py":
            (copy / "regression" / path.name).symlink_to(path)
    text = (package / "regression" / "encoders.py").read_text()
    text = text.replace("NAMES = (\n", 'NAMES = (\n    "last_token",\n')
    text = text.replace(
        "ENCODERS = (\n", 'ENCODERS = (\n    Encoder("last_token", "controls", _last, brief=True),\n'
    )
    text = text.replace(
        "def _wanted(",
        "def _last(case: Case) -> Encode:\n"
        "    def encode(masks: EvalMasks, poolings: Sequence[str]) -> Labelled:\n"
        '        yield case.cfg.depth, "cls", case.tokens[:, -1]\n\n'
        "    return encode\n\n\n"
        "def _wanted(",
    )
    (copy / "regression" / "encoders.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
