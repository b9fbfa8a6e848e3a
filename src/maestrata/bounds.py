"""Upper limits: far beyond what a run needs, and where planning or a job would end without saying why.

A typing error is what they catch, such as a seed where a count is meant (``seeds: 20240607``) or a width with
three zeros too many: it is refused in one line before anything is made.
"""

from __future__ import annotations

MOST_CELLS = 20_000
"""Cells, jobs of experiments, and seeds in a list: planning takes 3 ms and 60 kB for each."""

MOST_SEED = 2**32 - 1
"""Seeds are one word of a random stream's key (`maestrata.random`)."""

MOST_LEAVES = 256
"""Tokens of an image: a world is calibrated on 16,384 images of all its nodes, in float64."""

MOST_WORLD = 2**24
"""Numbers in a world's maps from variables to pixels, leaves x (values of a token) squared: 134 MB."""

MOST_COVARIANCE = 2048
"""Values of an image whose covariance is taken: that of 64 x 64 x 3 would be 1.2 GB."""

MOST_WIDTH = 4096
"""Width of a model: that of a ViT of billions of parameters is 1,408."""

MOST_DEPTH = 64
"""Blocks of a model, its heads, and the hidden width of its MLPs over the width."""

MOST_IMAGES = 10**10
"""Images that a model is trained on: a day of the fastest accelerators."""

MOST_ROWS = 10**6
"""Images or masks that are held at a time."""

MOST_REPLICATES = 10_000
"""Bootstrap replicates, each of which weighs every test image: 328 MB of 8,192 in float32."""

MOST_POINTS = 20_000
"""Points of a kernel, whose matrix is of their square: 1.6 GB in float32."""

MOST_NESTED = 20
"""Mappings and lists within one another in a config file, which needs 4."""

MOST_VALUES = 10**6
"""Values in a config file, what anchors repeat counted each time."""
