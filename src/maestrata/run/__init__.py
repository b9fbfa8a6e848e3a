"""What a run is made of: its files, the jobs that make them, and whether they still fit the code.

`layout`: where files are. `plan`: what the rules need of a config. `fingerprint`: the code of a job.
`progress`, `verify`, `compare`: how far a run is, what made it, and how it differs from a published one.
"""
