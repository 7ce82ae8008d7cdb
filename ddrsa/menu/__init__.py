"""The menu of sweeps: choose one, see how many runs and how long, run it, and read its analysis."""
