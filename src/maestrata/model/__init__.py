"""The masked autoencoder."""
