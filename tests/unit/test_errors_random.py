"""Errors, and the random streams on which every result rests."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

from maestrata import errors
from maestrata.errors import MaestrataError, RandomError, one_of
from maestrata.random import STREAMS, integer_seed, seed_sequence, stream


def test_every_error_of_maestrata_is_a_maestrata_error_and_a_value_error():
    kinds = [
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if value.__module__ == errors.__name__
    ]
    assert len(kinds) >= 10
    assert all(issubclass(kind, MaestrataError) for kind in kinds)
    assert issubclass(MaestrataError, ValueError)


def test_one_of_names_the_value_and_what_is_allowed():
    assert one_of("c", ["b", "a"]) == "'c' must be one of: a, b"
    assert one_of(3, (1, 2)) == "3 must be one of: 1, 2"


def test_stream_numbers_are_fixed():
    # part of every published result: renumbering one changes all draws
    assert STREAMS["world"] == 1 and STREAMS["train"] == 3 and STREAMS["test"] == 5
    assert len(set(STREAMS.values())) == len(STREAMS)
    assert integer_seed(0, "test") == 7076583287685412047
    assert integer_seed(7, "masks", 1, 2) == 1524194338956507058


def keys():
    for seed, name in itertools.product((0, 1, 2**32 - 1), STREAMS):
        for index in ((), (0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1), (2**32 - 1,), (0, 0, 0)):
            yield seed, name, *index


def test_no_two_keys_give_the_same_draws():
    firsts = {}
    for key in keys():
        first = stream(*key).integers(0, 2**63, 2).tobytes()
        assert first not in firsts, f"{key} and {firsts.get(first)} collide"
        firsts[first] = key
    assert len(firsts) == 3 * len(STREAMS) * 9


def test_a_stream_is_the_same_whenever_it_is_asked_for():
    for key in ((0, "test"), (5, "train", 3, 1000)):
        a, b = stream(*key).standard_normal(50), stream(*key).standard_normal(50)
        assert (a == b).all()
        assert integer_seed(*key) == integer_seed(*key)
    assert (stream(np.int64(5), "train", np.int32(3)).random(5) == stream(5, "train", 3).random(5)).all()


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ((0, "train"), (1, "train")),
        ((0, "train"), (0, "test")),
        ((0, "train", 0, 0), (0, "train", 0, 1)),
        ((0, "train", 0), (0, "train", 0, 0)),
        ((1, "train", 2), (2, "train", 1)),
    ],
)
def test_streams_are_uncorrelated(one, two):
    n = 100_000
    a, b = stream(*one).standard_normal(n), stream(*two).standard_normal(n)
    for shift in range(3):  # a stream that lags behind another would correlate at a shift
        assert abs(np.corrcoef(a[shift:], b[: n - shift])[0, 1]) < 5 / np.sqrt(n)


def test_drawing_touches_no_global_state():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    stream(0, "world").standard_normal(10)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ((0, "validation"), "random stream 'validation' must be one of: bootstrap, calibration, .*world"),
        ((-1, "test"), r"random stream 'test': -1 must be an integer in \[0, 2\*\*32\)"),
        ((0, "test", 0, -2), "-2 must be an integer"),
        ((0, "test", 0.5), "0.5 must be an integer"),
        (("0", "test"), "'0' must be an integer"),
        ((2**32, "test"), "4294967296 must be an integer"),
    ],
)
def test_bad_keys_are_refused(key, message):
    with pytest.raises(RandomError, match=message):
        stream(*key)


def test_an_index_beyond_32_bits_would_collide():
    # why such an index is refused
    wide = np.random.SeedSequence(0, spawn_key=(5, 2**32)).generate_state(2)
    pair = np.random.SeedSequence(0, spawn_key=(5, 0, 1)).generate_state(2)
    assert (wide == pair).all()
    with pytest.raises(RandomError):
        seed_sequence(0, "test", 2**32)


def test_integer_seeds_fit_a_torch_generator():
    seeds = [integer_seed(*key) for key in keys()]
    assert min(seeds) >= 0 and max(seeds) < 2**63
    assert len(set(seeds)) == len(seeds)
