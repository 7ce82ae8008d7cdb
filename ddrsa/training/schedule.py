"""The learning rate over the steps of a training."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, ReduceLROnPlateau, SequentialLR

from ddrsa.training.options import SCHEDULES

# The share of the learning rate where a warm-up starts and where a cosine decay ends.
LOWEST_SHARE = 0.01
# A plateau halves the learning rate after this share of the patience that ends the training.
PLATEAU_SHARE_OF_PATIENCE = 0.4


class Schedule:
    """A linear warm-up, then a constant rate, a cosine decay, or halving on a plateau of the validation loss.

    Args:
        optimizer: its `lr` is the highest rate.
        name: constant, cosine or plateau.
        warmup_steps: optimizer steps of the warm-up.
        total_steps: optimizer steps of the whole training, warm-up included.
        patience: epochs without improvement that end the training; `plateau` takes its own patience from it.
    """

    def __init__(self, optimizer: Optimizer, name: str, warmup_steps: int, total_steps: int, patience: int) -> None:
        self.optimizer = optimizer
        warmup = LinearLR(optimizer, LOWEST_SHARE, total_iters=max(1, warmup_steps))
        self.per_step: LRScheduler = warmup
        self.per_epoch: ReduceLROnPlateau | None = None
        if name == "cosine":
            (highest,) = {group["initial_lr"] for group in optimizer.param_groups}
            decay_steps = max(1, total_steps - warmup_steps)
            cosine = CosineAnnealingLR(optimizer, decay_steps, eta_min=LOWEST_SHARE * highest)
            self.per_step = SequentialLR(optimizer, [warmup, cosine], milestones=[warmup_steps])
        elif name == "plateau":
            self.per_epoch = ReduceLROnPlateau(
                optimizer, factor=0.5, patience=max(1, round(PLATEAU_SHARE_OF_PATIENCE * patience))
            )
        elif name != "constant":
            raise ValueError(f"schedule={name}: allowed are {', '.join(SCHEDULES)}")

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def step(self) -> None:
        """Advance by a step of the optimizer."""
        self.per_step.step()

    def end_epoch(self, validation_loss: float) -> None:
        """Advance by an epoch."""
        if self.per_epoch is not None:
            self.per_epoch.step(validation_loss)

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers; the learning rate itself is in the optimizer's state."""
        return {
            "per_step": self.per_step.state_dict(),
            "per_epoch": self.per_epoch.state_dict() if self.per_epoch else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self.per_step.load_state_dict(state["per_step"])
        if self.per_epoch:
            self.per_epoch.load_state_dict(state["per_epoch"])
