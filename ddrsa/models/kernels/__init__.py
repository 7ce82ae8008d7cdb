"""Recurrent networks on a CPU, 32 windows at a time, compiled by numba for the processor that runs them."""
