from __future__ import annotations

import torch

from ddrsa.training.denormals import flushed_denormals


def product() -> float:
    return float(torch.full((), 1e-30) * 1e-10)


def test_denormal_numbers_are_zero_within_the_block_alone() -> None:
    before = product()
    assert before > 0
    with flushed_denormals():
        assert product() == 0
        with flushed_denormals():
            pass
        assert product() == 0  # an inner block leaves it as it was
    assert product() == before
