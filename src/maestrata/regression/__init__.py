"""Latent regression: what of each level of the hierarchy can be read from a representation."""
