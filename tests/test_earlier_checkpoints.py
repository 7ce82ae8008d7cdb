"""Checkpoints of versions that did not have all options of a model yet."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import ddrsa
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.trained import load_trained

SMALL = ["dataset.num_units=10", "lookback=16", "horizon=20", "num_epochs=1", "batch_size=256", "device=cpu"]
LATER: dict[str, tuple[list[str], dict[str, int | None]]] = {
    "tcn": (["model.channels=4"], {"windows_per_segment": None, "segment_stride": 16}),
    "transformer": (["model.d_model=8", "model.feedforward_size=8"], {"steps_per_query": 1}),
}


@pytest.mark.parametrize("name", LATER)
def test_options_that_came_later_are_what_was_done_before(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DDRSA_LEASE_DIR", str(tmp_path / "leases"))
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(tmp_path / "cache"))
    small, later = LATER[name]
    as_before = [f"model.{key}={'null' if value is None else value}" for key, value in later.items()]
    run = ddrsa.train([f"model={name}", *small, *SMALL, *as_before, "hydra.sweep.dir=sweep"])
    path = TrainingDirectory(run.path).checkpoint_best
    content = torch.load(path, weights_only=True)
    content.pop("checksum")  # of the content before
    for key in later:
        del content["config"]["model"][key]
    torch.save(content, tmp_path / "earlier.pt")

    expected, found = load_trained(path), load_trained(tmp_path / "earlier.pt")
    assert found.config.model == expected.config.model
    windows = torch.randn(3, 16, len(found.scaler.kept_names) + 1)
    windows[..., -1] = 1
    assert torch.equal(found.model(windows), expected.model(windows))
