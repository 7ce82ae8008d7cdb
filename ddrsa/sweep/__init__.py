"""Sweeps of any Hydra task: every job checked first, a GPU lease per run, all failures named."""
