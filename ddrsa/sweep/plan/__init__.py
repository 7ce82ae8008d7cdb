"""From a command line to the runs of a sweep."""
