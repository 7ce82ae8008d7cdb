"""Predictions from a trained run, for its own units or new ones."""
