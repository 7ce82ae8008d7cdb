"""PyTorch's AdamW without PyTorch's compiler."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import torch

from ddrsa.training.optimizer import AdamW

ROOT = Path(__file__).parents[2]

TRAIN = """
import runpy, sys
try:
    runpy.run_path("train.py", run_name="__main__")
except SystemExit as end:
    print(end.code, sorted({"torch", "torch._dynamo", "matplotlib"} & set(sys.modules)))
"""


def parameters() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((3, 4), (5,))]


def steps(optimizer: torch.optim.Optimizer, of: list[torch.nn.Parameter], count: int) -> None:
    for number in range(count):
        optimizer.zero_grad()
        sum((parameter.sin() * (number + 1)).sum() for parameter in of).backward()  # type: ignore[union-attr]
        optimizer.step()


def test_it_is_pytorchs_also_after_its_state_was_saved() -> None:
    ours, theirs, resumed = parameters(), parameters(), parameters()
    how = {"lr": 0.01, "weight_decay": 0.1, "fused": True}
    optimizer = AdamW(ours, **how)  # type: ignore[arg-type]
    steps(optimizer, ours, 3)
    for parameter, value in zip(resumed, ours, strict=True):
        parameter.data.copy_(value.data)
    again = AdamW(resumed, **how)  # type: ignore[arg-type]
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for each, of in ((optimizer, ours), (again, resumed)):
        steps(each, of, 2)
    reference = torch.optim.AdamW(theirs, **how)  # type: ignore[arg-type]
    steps(reference, theirs, 3)
    steps(reference, theirs, 2)
    for parameter, same, third in zip(ours, theirs, resumed, strict=True):
        assert torch.equal(parameter, same)
        assert torch.equal(parameter, third)
        assert not torch.equal(parameter, parameters()[0 if parameter.ndim == 2 else 1])


def test_a_run_loads_neither_the_compiler_nor_what_draws(tmp_path: Path) -> None:
    overrides = ["model=transformer", "model.d_model=4", "model.num_heads=1", "dataset.num_units=8", "lookback=4"]
    overrides += ["horizon=8", "num_epochs=1", "device=cpu", f"cache_dir={tmp_path}", f"hydra.sweep.dir={tmp_path}/run"]
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, *overrides], cwd=ROOT, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.stdout.splitlines()[-1:] == ["0 ['torch']"], done.stderr
