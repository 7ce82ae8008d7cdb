"""Export of a trained run to files that need neither this package nor its data."""
