"""Experiments that only a known world allows, one file each, found by name (see `registry`)."""
