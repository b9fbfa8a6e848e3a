"""Figures: one module each, found by name (`registry`); docs/figures.md says how to add one."""
