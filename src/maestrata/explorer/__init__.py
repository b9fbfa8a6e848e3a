"""A run as one HTML page to explore: scores over the masking ratio, what masks share, verdicts.

`data_of` takes from the cubes what the page shows; `page` writes the page, which needs no other file and no
network. Its scripts are plain JavaScript beside this file. docs/explorer.md explains it.
"""
