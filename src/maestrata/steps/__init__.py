"""Steps: one thin command per rule of the workflow, `python -m maestrata.steps.NAME`, usable by hand too.

A step takes plain values, calls the library and saves what comes back. No step imports the config: a key
that is new in the config changes the values of the steps that use it, and no other step runs again.
"""
