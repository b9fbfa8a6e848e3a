"""Steps: one thin command per rule of the workflow, `python -m maestrata.steps.NAME`, usable by hand too.

A step takes plain values, calls the library and saves what comes back. No step imports the config: a key
that is new in the config changes the values of the steps that use it, and no other step runs again.
"""

import gc

# Importing PyTorch or Matplotlib makes a million objects that all live to the end: looking among them again
# and again for what could be freed is a tenth of the time. `_run.run` sets them aside, and looks as usual.
gc.set_threshold(100_000, 50, 100)
