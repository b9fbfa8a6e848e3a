"""A grammar whose tokens hide it from every conditional mean: a token is its pattern, or minus its pattern.

The sign is drawn for each token by itself, so ``E[token | everything but its own noise] = 0``, and the least
mean squared error of a masked token is reached by predicting 0, whatever is visible. A visible token tells
its symbol as well as one of the grammar does: by the likelihood, a mixture over both signs.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from maestrata.worlds.grammar_tree import GrammarTree


class SignHidden(GrammarTree):
    """Grammar with hidden signs.

    Parameters
    ----------
    seed : int
    leaves, symbols, productions, token_pixels : int
    pixel_noise : float
    patterns : str
        As in `GrammarTree`.

    Notes
    -----
    Rules, patterns and latents are those of the grammar of the same seed and settings. The noise of a token
    begins with a normal variable whose sign is that of the pattern; its pixels' noise follows.
    """

    name = "sign_hidden"

    def _choices(self) -> int:
        return 1

    def show(self, patterns: Any, noise: Any) -> Any:
        """Return the tokens; see `DiscreteTree.show`."""
        xp = array_namespace(noise)
        minus = xp.astype(noise[..., :1] < 0, noise.dtype)
        return super().show(patterns * (1 - 2 * minus), noise[..., 1:])
