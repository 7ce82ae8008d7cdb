"""Discrete-time survival analysis: pure functions, each with the source of its formula."""
