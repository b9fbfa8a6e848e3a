"""Three fixed masks, as in the paper's Figure 4, and a ladder of masks of equal ratio.

The paper draws them by hand on a small tree; here they are defined for every token grid that a binary tree
covers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from maestrata.errors import MaskError
from maestrata.geometry import TokenGrid

EXAMPLES = ("conservative", "ideal", "aggressive")


def example_masks(grid: TokenGrid) -> dict[str, NDArray[np.bool_]]:
    """Return the three fixed masks of a grid, as booleans (n_tokens,), True where masked.

    - ``conservative``: one token masked in each of (at most) four equal blocks;
    - ``ideal``: one half of the image masked, the other visible;
    - ``aggressive``: one token visible in each of those blocks.

    Parameters
    ----------
    grid : TokenGrid
        Of at least 2 tokens.

    Examples
    --------
    >>> {name: int(mask.sum()) for name, mask in example_masks(TokenGrid.for_leaves(16)).items()}
    {'conservative': 4, 'ideal': 8, 'aggressive': 12}
    """
    # blocks of at least four tokens where there are as many, so that few are masked
    blocks = grid.blocks(min(max(grid.levels - 2, 2), grid.levels))
    conservative = np.zeros(grid.n_tokens, bool)
    # places differ between the blocks, so that no row or column is hit more than it must be
    places = np.arange(len(blocks)) * 3 % blocks.shape[1]
    conservative[blocks[np.arange(len(blocks)), places]] = True
    return {
        "conservative": conservative,
        "ideal": ladder_mask(grid, grid.levels),
        "aggressive": ~conservative,
    }


def ladder_mask(grid: TokenGrid, level: int) -> NDArray[np.bool_]:
    """Return a mask that hides one child of every node at a level: half of the tokens.

    With the level as its only rung, the ratio stays .5 while c moves from the parents of the tokens (level
    1) to the root.

    Parameters
    ----------
    grid : TokenGrid
    level : int
        1 to L.

    Returns
    -------
    bool array (n_tokens,)
        True where masked.

    Raises
    ------
    MaskError
        If the level is out of range.
    """
    if isinstance(level, bool) or not isinstance(level, int | np.integer) or not 1 <= level <= grid.levels:
        raise MaskError(f"level={level!r} must be an integer in 1..{grid.levels}")
    masked = np.zeros(grid.n_tokens, bool)
    # the upper or left child of every node
    masked[grid.blocks(level - 1)[grid.children(level)[:, 0]]] = True
    return masked
