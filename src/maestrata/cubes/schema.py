"""The one place for the format of every file: dimensions, variables, units, names, allowed values.

Axes are declared in `fields`, kinds in `measured` and `computed`: a new kind is one entry there, and
docs/cubes.md says the same in prose. `io.write_cube` and `io.open_cube` check every file against its
entry. Raise `SCHEMA_VERSION` when a reader of the old files would be wrong about the new ones.

Files of one part of a sweep (a cell, a world) and the cube that joins them: `scores` -> `regression`,
`history` -> `training`, `reconstruction` -> `reconstructions`. `theory` and `limits` are written per world as
cubes of one world and one world seed, and joined by their labels.
"""

from __future__ import annotations

from maestrata.cubes.computed import COMPUTED
from maestrata.cubes.fields import AXES, CELL, SCORE, Kind
from maestrata.cubes.measured import MEASURED

__all__ = ["AXES", "CELL", "KINDS", "SCHEMA_VERSION", "SCORE"]

SCHEMA_VERSION = 1

KINDS: dict[str, Kind] = MEASURED | COMPUTED
