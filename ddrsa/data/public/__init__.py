"""The public data sets: where they come from, how they are fetched."""
