"""Sub-commands of ``maestrata``: one module each, found by its name.

A command defines `HELP`, a line of the list of commands; `arguments(parser)`, which declares its arguments;
and `run(args)`, which prints, and returns the exit status or None for 0. Its docstring is the description in
its ``--help``. All commands are imported to plan and to help, so what takes time (xarray, Matplotlib, torch,
pydantic) is imported in `run`. A `MaestrataError` or `OSError` becomes one line and exit status 2.
"""
