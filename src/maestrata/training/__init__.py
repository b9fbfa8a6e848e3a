"""Training: one cell at a time on a CPU, whole stacks of cells on a GPU."""
