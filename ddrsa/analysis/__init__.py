"""Turns the run directories of a sweep into tables and plots. It reads run directories only."""
