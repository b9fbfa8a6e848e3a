"""Noise below a level drawn anew with the rest kept, and the mirror: how much of a representation changes.

Of a representation f, the share of its variance that the noise drawn anew takes part in,

    share = E |f(x) - f(x')|^2 / E |f(x) - f(x'')|^2,

x' being x with that noise drawn anew and x'' an image of its own (all noise drawn anew). This is Jansen's
estimator of the total Sobol' index of that noise, summed over the directions of f. With the noise below level
l drawn anew it is 0 for a function of the latents of level l and above, and 1 for one that is independent of
them. The mirror, the noise at level l and above drawn anew, is the total index of the other half: the two add
up to 1 where f is a sum of a part for each, and to more where the halves interact.
"""

from __future__ import annotations

import numpy as np

from maestrata.experiments._features import encoders
from maestrata.experiments.base import Job, Table
from maestrata.experiments.measures import leak, noise_below, redraw
from maestrata.random import stream

SUMMARY = "noise below a level drawn anew with the rest kept, and the mirror: share of variance that changes"
SETTINGS = {"pairs": 2048}
RANGES = {"pairs": {"least": 2}}
CELLS = True

_KEY = 11  # of the stream "experiment"


def run(job: Job) -> Table:
    """Measure every trained model of the world, and the untrained one.

    Parameters
    ----------
    job : Job
        Its setting: `pairs`, test images that are compared with their altered selves.

    Returns
    -------
    Table
        Arms: cells such as ``1x1/v4``, and ``random_init``. Shares of variance by level 1 to L:
        ``low_redrawn`` (noise below the level drawn anew), ``high_redrawn`` (noise at the level and above).
        At level 0: ``mask_ratio``.
    """
    world = job.world
    test = job.sample("test", "pairs")
    pairs = len(test.images)
    levels = range(1, world.levels + 1)
    altered = {}
    for level in levels:
        low = noise_below(world, level)
        high = {at: nodes for at, nodes in noise_below(world, world.levels + 1).items() if at not in low}
        for name, nodes in (("low_redrawn", low), ("high_redrawn", high)):
            # the same fresh noise for all levels, so that their shares differ by what is redrawn alone
            fresh = redraw(world, test.noise, nodes, stream(world.seed, "experiment", _KEY))
            altered[name, level] = world.generate(fresh).images
    weights = job.weights(pairs)

    table = Table()
    for arm, encode in encoders(job, table):
        plain = encode(test.images)
        for (name, level), images in altered.items():
            table.add(arm, name, level, leak(plain, encode(np.asarray(images)), weights), pairs)
    return table
