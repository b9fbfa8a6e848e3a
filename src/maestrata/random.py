"""Named random streams: the only source of randomness in maestrata.

A stream is keyed by a seed, a registered name and any number of indices (a step, a member, a mask
geometry). Two streams with different keys are independent, so training, probe-training and test
samples never meet, and a job can be resumed at any step without replaying the earlier ones.
"""

from __future__ import annotations

import operator

import numpy as np

from maestrata.errors import RandomError, one_of

STREAMS: dict[str, int] = {
    "world": 1,  # the functions of a world: never re-drawn between training and evaluation
    "calibration": 2,  # moments that standardise a world's functions
    "train": 3,
    "probe-train": 4,
    "test": 5,
    "masks": 6,  # masks drawn in training
    "eval-masks": 7,
    "init": 8,  # weights of a model before training
    "bootstrap": 9,
    "shuffle": 10,  # order of a finite training set, and labels shuffled for a control
    "theory": 11,
    "inference": 12,
    "probe": 13,
    "display": 14,  # images shown in figures
    "strength": 15,  # samples by which the strength of a world is judged
    "claims": 16,
    "experiment": 17,  # what is redrawn, shifted or replaced in an image
}
"""Registered streams. The numbers are part of every result: never renumber, only append."""


def seed_sequence(seed: int, name: str, *index: int) -> np.random.SeedSequence:
    """Return the seed sequence of a named stream.

    Parameters
    ----------
    seed : int
        Seed, 0 to 2**32 - 1.
    name : str
        One of `STREAMS`.
    *index : int
        Further coordinates of the stream, each in the same range.

    Returns
    -------
    numpy.random.SeedSequence
        With entropy `seed` and spawn key `(STREAMS[name], *index)`.

    Raises
    ------
    RandomError
        If the name is not registered, or the seed or an index is not an integer in that range.
    """
    if name not in STREAMS:
        raise RandomError(f"random stream {one_of(name, STREAMS)}")
    numbers = []
    for given in (seed, *index):
        try:
            number = operator.index(given)
        except TypeError:
            number = -1
        # NumPy splits what needs more than 32 bits into words: (2**32,) would be the key (0, 1)
        if not 0 <= number < 2**32:
            raise RandomError(f"random stream {name!r}: {given!r} must be an integer in [0, 2**32)")
        numbers.append(number)
    return np.random.SeedSequence(numbers[0], spawn_key=(STREAMS[name], *numbers[1:]))


def stream(seed: int, name: str, *index: int) -> np.random.Generator:
    """Return a NumPy generator for a named stream (see `seed_sequence`).

    Examples
    --------
    >>> a, b = stream(0, "test").random(), stream(0, "test").random()
    >>> a == b, a == stream(0, "train").random()
    (True, False)
    """
    return np.random.Generator(np.random.PCG64(seed_sequence(seed, name, *index)))


def integer_seed(seed: int, name: str, *index: int) -> int:
    """Return a 63-bit integer for generators of other libraries, from the key of a named stream."""
    return int(seed_sequence(seed, name, *index).generate_state(1, np.uint64)[0] >> 1)
