"""Figures of one run. Only matplotlib's object interface: no display, no global state."""
