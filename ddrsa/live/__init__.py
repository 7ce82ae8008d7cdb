"""The live page: a sweep that runs, in a browser. `ddrsa serve`."""
