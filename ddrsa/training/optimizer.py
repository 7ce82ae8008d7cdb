"""AdamW as PyTorch has it, without loading the compiler of PyTorch."""

from __future__ import annotations

from inspect import unwrap
from typing import Any

import torch
from torch.optim.optimizer import Optimizer


class AdamW(torch.optim.AdamW):
    """`torch.optim.AdamW`, step for step the same numbers.

    PyTorch wraps these methods so that `torch.compile` leaves them alone, and the first call of one imports
    `torch._dynamo`: more than a second and 60 MB for each process that trains. Nothing is compiled here.
    """

    add_param_group = unwrap(Optimizer.add_param_group)
    zero_grad = unwrap(Optimizer.zero_grad)
    state_dict = unwrap(Optimizer.state_dict)
    load_state_dict = unwrap(Optimizer.load_state_dict)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step. See torch.optim.AdamW."""
        return unwrap(torch.optim.AdamW.step)(self, closure)
