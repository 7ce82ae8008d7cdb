"""Training scripts that know nothing of Hydra, as runs of a sweep."""
