"""Training: one loop that can be stopped at any time and goes on where it was."""
