"""Trackers, TensorBoard, MLflow and Weights & Biases, told of a sweep by its directory."""
