"""Proposals of a dataset file for the user's own files."""
