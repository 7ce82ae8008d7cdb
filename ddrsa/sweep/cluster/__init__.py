"""Launchers whose runs work on other machines: Ray, Slurm."""
