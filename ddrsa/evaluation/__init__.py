"""Evaluation: the metrics of a model's forecasts on a data split, and how well they are known."""
