"""The options of a training script, read from its source."""
