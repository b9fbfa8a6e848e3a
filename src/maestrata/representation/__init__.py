"""Representations: what the encoder gives for each token, and the ways of making it one vector."""
