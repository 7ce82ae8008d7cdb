"""The display of a sweep: progress, estimate, summary, dry run."""
