"""Races: configurations get repeats (seeds, folds) one after another, until it is known which is best."""
