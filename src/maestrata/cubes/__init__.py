"""NetCDF-4 cubes: the format (`schema`), reading and writing (`io`), joining a sweep's files (`collect`)."""
