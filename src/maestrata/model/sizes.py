"""Sizes of a masked autoencoder, without the model: reading them needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from maestrata.bounds import MOST_DEPTH, MOST_WIDTH
from maestrata.errors import ConfigError
from maestrata.settings import check, setting


@dataclass(frozen=True)
class Tokens:
    """The images that a model takes, as a world makes them.

    Attributes
    ----------
    grid_height, grid_width : int
        Tokens in an image.
    token_values : int
        Pixel values of a token (channels x token pixels squared).
    """

    grid_height: int = setting(4, "tokens in a column of an image", least=1)
    grid_width: int = setting(4, "tokens in a row of an image", least=1)
    token_values: int = setting(12, "pixel values of a token", least=1)

    @property
    def n_tokens(self) -> int:
        """Tokens in an image."""
        return self.grid_height * self.grid_width


@dataclass(frozen=True)
class Sizes:
    """The masked autoencoder: a ViT encoder on visible tokens only, a light decoder on all of them.

    Raises
    ------
    ConfigError
        If a size is out of range or a width cannot be split into its heads or into sine-cosine positions.
    """

    width: int = setting(
        64, "width of the encoder's tokens, a multiple of 4 and of `heads`", least=1, most=MOST_WIDTH
    )
    depth: int = setting(3, "blocks of the encoder", least=1, most=MOST_DEPTH)
    heads: int = setting(2, "attention heads of the encoder", least=1, most=MOST_DEPTH)
    decoder_width: int = setting(64, "width of the decoder's tokens", least=1, most=MOST_WIDTH)
    decoder_depth: int = setting(1, "blocks of the decoder", least=1, most=MOST_DEPTH)
    decoder_heads: int = setting(2, "attention heads of the decoder", least=1, most=MOST_DEPTH)
    mlp_ratio: int = setting(
        4, "hidden width of a block's MLP over the block's width", least=1, most=MOST_DEPTH
    )
    norm_pixels: bool = setting(False, "reconstruct pixels normalised per token")

    def __post_init__(self) -> None:
        check(self, ConfigError)
        for part in ("", "decoder_"):
            width, heads = getattr(self, f"{part}width"), getattr(self, f"{part}heads")
            if width % 4 or width % heads:
                message = f"{part}width={width} must be a multiple of 4 and of {part}heads={heads}"
                raise ConfigError(message).at(f"{part}width")
