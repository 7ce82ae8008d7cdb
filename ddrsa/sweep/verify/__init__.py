"""Checks, on the user's machine, of what the launcher promises."""
