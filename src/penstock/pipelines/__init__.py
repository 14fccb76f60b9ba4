"""One folder per pipeline: everything particular to it, and nothing else."""
