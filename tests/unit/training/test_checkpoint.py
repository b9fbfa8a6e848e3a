"""A run that was stopped ends with the bits of one that was not, or starts anew and says why."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors import safe_open

from maestrata.errors import ConfigError, TrainingError
from maestrata.steps.pretrain import seconds_between
from maestrata.training.checkpoint import Checkpoint, run_key
from maestrata.training.data import Batches
from maestrata.training.train import train
from maestrata.training.weights import load_mae, save_weights

KEY = run_key({"config": "a"})


class Killed(Exception):
    """Stands for a kill, in one process."""


@pytest.fixture
def stopped(cell, tmp_path, monkeypatch):
    """A checkpoint after 20 steps of 40, as a run left it that was killed at step 27."""
    path = tmp_path / "checkpoint.bin"
    with monkeypatch.context() as patch:
        honest = Batches.__call__

        def call(self, step):
            if step == 27:
                raise Killed
            return honest(self, step)

        patch.setattr(Batches, "__call__", call)
        with pytest.raises(Killed):
            train(**cell, checkpoint=Checkpoint(path, KEY, steps=10))
    return path


def steps_made(cell, checkpoint, monkeypatch):
    """Train on, and return the run and the steps that it made."""
    made = []
    honest = Batches.__call__
    with monkeypatch.context() as patch:
        patch.setattr(Batches, "__call__", lambda self, step: (made.append(step), honest(self, step))[1])
        run = train(**cell, checkpoint=checkpoint)
    return run, made


def test_goes_on_with_the_same_bits(cell, stopped, monkeypatch, caplog, same):
    with caplog.at_level(logging.INFO):
        run, made = steps_made(cell, Checkpoint(stopped, KEY), monkeypatch)
    assert made == list(range(20, 40))
    assert "going on from step 20" in caplog.text
    assert same(run, train(**cell))


def test_checkpoints_do_not_change_a_run(cell, tmp_path, same):
    path = tmp_path / "folder" / "checkpoint.bin"
    assert same(train(**cell, checkpoint=Checkpoint(path, KEY, steps=7)), train(**cell))
    assert path.exists()


@pytest.mark.parametrize("kept", [0, 5, 100, 2000, -1])
def test_truncated_is_noticed_and_discarded(cell, stopped, kept, monkeypatch, caplog, same):
    stopped.write_bytes(stopped.read_bytes()[:kept])
    run, made = steps_made(cell, Checkpoint(stopped, KEY), monkeypatch)
    assert "truncated or damaged" in caplog.text and str(stopped) in caplog.text
    assert made == list(range(40))
    assert not stopped.exists()
    assert same(run, train(**cell))


def test_one_changed_bit_is_noticed(stopped, caplog):
    content = bytearray(stopped.read_bytes())
    content[len(content) // 2] ^= 1
    stopped.write_bytes(content)
    assert Checkpoint(stopped, KEY).read() is None
    assert "truncated or damaged" in caplog.text


def test_other_key_is_never_taken_up(cell, stopped, monkeypatch, caplog):
    _, made = steps_made(cell, Checkpoint(stopped, run_key({"config": "b"})), monkeypatch)
    assert made == list(range(40))
    assert "another config, code or machine" in caplog.text


def test_key_depends_on_values_not_on_their_order():
    assert run_key({"a": 1, "b": [2.0]}) == run_key({"b": [2.0], "a": 1})
    assert len({KEY, run_key({"config": "b"}), run_key({"config": "a", "fingerprint": "x"})}) == 3


def test_key_depends_on_the_processor(monkeypatch):
    monkeypatch.setattr("maestrata.training.checkpoint.processor", lambda: "another")
    assert run_key({"config": "a"}) != KEY


@pytest.mark.parametrize("fails", ["write", "replace"])
def test_full_disk_is_one_clear_error_and_leaves_nothing(cell, tmp_path, fails, monkeypatch):
    path = tmp_path / "checkpoint.bin"

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if fails == "replace":
        monkeypatch.setattr(os, "replace", full)
    else:
        resource = pytest.importorskip("resource")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(TrainingError, match=r"checkpoint cannot be written to .*checkpoint\.bin: \w+"):
            train(**cell, checkpoint=Checkpoint(path, KEY, steps=10))
    finally:
        if fails == "write":
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
    assert list(tmp_path.iterdir()) == []


def test_time_between_checkpoints(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    checkpoint = Checkpoint(tmp_path / "c", KEY, seconds=30)
    clock[0] = 29.0
    assert not checkpoint.due(1)
    clock[0] = 30.0
    assert checkpoint.due(2)
    checkpoint.write(2, {"a": torch.ones(2)})
    assert not checkpoint.due(3)
    step, tensors = checkpoint.read()
    assert (step, tensors["a"].tolist()) == (2, [1.0, 1.0])


# the step, as the workflow calls it

FLAGS = (
    '--world-kind gaussian_tree --world-settings {"leaves":8,"dim":2} --world-seed 3 '
    "--patch 1x1 --visible 4 --seed 5 --width 16 --depth 2 --decoder-width 16 "
    "--images 9600 --batch 32 --lr 5e-3 --betas 0.9 0.95"
).split()


def pretrain(folder, *flags, **kwargs):
    command = [sys.executable, "-m", "maestrata.steps.pretrain", *FLAGS, "--fingerprint", "abc", *flags]
    command += ["--weights", str(folder / "weights.safetensors"), "--history", str(folder / "history.nc")]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **kwargs)


def test_killed_job_ends_with_the_same_files(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    process = pretrain(whole)
    _, log = process.communicate(timeout=300)
    assert process.returncode == 0, log

    process = pretrain(broken, env=os.environ | {"MAESTRATA_CHECKPOINT_SECONDS": "0"})  # after every step
    checkpoint = broken / "checkpoint.bin"
    limit = time.monotonic() + 300
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it was done before it could be killed"
    assert checkpoint.exists()
    assert not (broken / "weights.safetensors").exists()

    process = pretrain(broken)
    _, log = process.communicate(timeout=300)
    assert process.returncode == 0, log
    assert "going on from step" in log
    names = ["history.nc", "weights.safetensors"]
    assert sorted(p.name for p in broken.iterdir()) == names
    for name in names:
        assert (broken / name).read_bytes() == (whole / name).read_bytes()

    with safe_open(whole / "weights.safetensors", "pt") as file:
        about = json.loads(file.metadata()["maestrata"])
    assert about["fingerprint"] == "abc"
    assert about["model"]["width"] == 16
    assert json.loads(about["seeds"]) == {"seed": 5, "world_seed": 3}
    assert {"config", "versions", "device", "threads"} <= set(about)


def test_error_of_the_step_is_one_line(tmp_path):
    process = pretrain(tmp_path, "--visible", "8")
    _, log = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "visible=8 must lie in 1..7" in log and "Traceback" not in log
    assert list(tmp_path.iterdir()) == []


# weights


def test_weights_come_back(cell, tmp_path):
    model, _ = train(**cell)
    path = tmp_path / "weights.safetensors"
    save_weights(model, path, {"config": "{}"})
    first = path.read_bytes()
    save_weights(model, path, {"config": "{}"})
    assert path.read_bytes() == first
    again = load_mae(path)
    assert again.cfg == cell["cfg"]
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), again.parameters(), strict=True))


def test_truncated_weights_are_refused(cell, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(train(**cell)[0], path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(TrainingError, match="does not hold the weights of a model"):
        load_mae(path)


@pytest.mark.parametrize("text", ["abc", "nan", "-1", ""])
def test_seconds_between_checkpoints_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match=f"MAESTRATA_CHECKPOINT_SECONDS='{text}' must be a number"):
        seconds_between(text)
    assert seconds_between("0.05") == 0.05
