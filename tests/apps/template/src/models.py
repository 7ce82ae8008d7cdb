"""What the configs of `model` name as `_target_`."""

from __future__ import annotations

from collections.abc import Callable


class Quadratic:
    """A model whose loss is a parabola in its learning rate."""

    def __init__(self, optimizer: Callable[..., dict[str, float]], width: int) -> None:
        self.lr = optimizer()["lr"]
        self.width = width
        self.weight = 0.0

    def fit_one_epoch(self) -> None:
        self.weight += self.lr * (1 - self.weight)

    def accuracy(self) -> float:
        return max(0.0, 1 - abs(1 - self.weight) / self.width)


def sgd(lr: float) -> dict[str, float]:
    """An optimizer: the configs make a partial of it."""
    return {"lr": lr}
