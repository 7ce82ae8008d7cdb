"""Public data sets: their origins, and how they are fetched."""
