"""Sweeps of deep survival models (DDRSA) for machines that wear out."""
