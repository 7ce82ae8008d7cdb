"""Microsoft's Azure predictive maintenance files."""
