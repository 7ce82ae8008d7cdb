"""Data sets as `Sequences`: readers, a simulator, splits by unit, scaling, and a cache on disk."""
