"""One run on disk: its files, directory, states and owner."""
