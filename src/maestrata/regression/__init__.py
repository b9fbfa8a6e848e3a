"""Latent regression: what of each level of the hierarchy a probe can predict from features."""
