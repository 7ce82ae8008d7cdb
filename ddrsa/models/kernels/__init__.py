"""GRU layers on a CPU, 16 windows at a time, compiled by numba for the processor that runs them."""
