"""Run directories as runs leave them, thousands in seconds: for tests and benchmarks of the analysis.

Every file has the names, keys and sizes of a real run's; the results follow a smooth function of the hyperparameters
with noise for the seed, so that there is something to find.
"""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ddrsa.rundir.epoch_rows import COLUMNS, row_checksum

SHARED = """dataset:
  name: simulated
  num_units: 60
  num_conditions: 1
  num_fault_modes: 1
  censored_fraction: 0.0
  noise: 1.0
  simulation_seed: 0
  scaling: minmax
  test_fraction: 0.3
  validation_fraction: 0.3
  split_seed: null
"""
MODELS = {
    "lstm": "model:\n  name: lstm\n  hidden_size: 16\n  num_layers: 1\n",
    "gru": "model:\n  name: gru\n  hidden_size: 16\n  num_layers: 1\n",
    "transformer": "model:\n  name: transformer\n  d_model: 64\n  num_heads: 4\n  num_encoder_layers: 2\n"
    "  num_decoder_layers: 2\n  feedforward_size: 256\n  rows_per_token: 2\n",
}
HYPERPARAMETERS: dict[str, Any] = {
    "batch_size": 128, "learning_rate": 0.003, "lambda_param": 0.75, "nasa_weight": 0.0, "dropout": 0.1,
    "num_epochs": 30, "patience": 10, "weight_decay": 0.0001, "grad_clip": 1.0, "schedule": "cosine",
    "warmup_epochs": 1.0, "lookback": 64, "horizon": 128, "seed": 0, "num_folds": None, "fold": 0,
}  # fmt: skip
REST = """device: auto
gpus: auto
runs_per_gpu: 1
gpu_index: ${gpu_index:}
data_dir: ${oc.env:DDRSA_DATA_DIR,data}
cache_dir: ${oc.env:DDRSA_CACHE_DIR,${user_cache_dir:}}
retries: 0
timeout: null
max_failures: null
only: null
exclude: null
zip: []
dry_run: false
"""
COSTS = (8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


def grid(values: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of `values`, as a sweep does them."""
    for combination in itertools.product(*values.values()):
        yield dict(zip(values, combination, strict=True))


def search(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Values as a search draws them: from continuous ranges, none twice."""
    generator = random.Random(seed)
    for _ in range(count):
        yield {
            "model": generator.choice(list(MODELS)),
            "learning_rate": 10 ** generator.uniform(-4, -1.5),
            "dropout": generator.uniform(0, 0.5),
            "batch_size": generator.choice([32, 64, 128]),
            "lambda_param": generator.uniform(0.4, 1),
        }


def write_sweep(sweep_dir: Path, runs: Iterator[dict[str, Any]], states: Sequence[str] = ("completed",)) -> int:
    """Write a run directory for each of `runs` (the swept values, with `model`); their states take turns.

    Returns how many there are.
    """
    count = 0
    for count, values in enumerate(runs, 1):
        write_run(sweep_dir, count - 1, values, states[(count - 1) % len(states)])
    return count


def write_run(sweep_dir: Path, number: int, values: Mapping[str, Any], state: str = "completed") -> Path:
    """One run directory; `values` may have a key `metrics` that takes the place of some results."""
    values = {**values}
    replaced = values.pop("metrics", {})
    model = values.pop("model", "lstm")
    config = {**HYPERPARAMETERS, **values}
    run = sweep_dir / "logs" / "simulated" / model / f"bs{config['batch_size']}_s{config['seed']}_{number:08x}"
    (run / ".hydra").mkdir(parents=True)
    lines = "".join(f"{key}: {_yaml(value)}\n" for key, value in config.items())
    (run / ".hydra" / "config.yaml").write_text(SHARED + MODELS[model] + lines + REST)
    overrides = [f"model={model}", *(f"{key}={_yaml(value)}" for key, value in values.items())]
    (run / ".hydra" / "overrides.yaml").write_text("".join(f"- {override}\n" for override in overrides))
    (run / ".hydra" / "hydra.yaml").write_text("hydra:\n  job:\n    name: train\n    chdir: false\n")
    (run / "run.log").write_text(f"2026-11-21 10:00:00,000 INFO run {number}\n")

    noise = random.Random(f"{config['seed']} {config['fold']} {number}")
    quality = _quality(model, config) * (1 + 0.03 * noise.gauss(0, 1))
    epochs = config["num_epochs"] if state == "completed" else max(1, config["num_epochs"] // 4)
    losses = [quality / 8 + 2 * math.exp(-epoch / 3) + 0.02 * noise.random() for epoch in range(1, epochs + 1)]
    _write_log(run / "training_log.csv", losses)
    _write_json(
        run / "status.json",
        {
            "run_id": f"{number:08x}", "state": state, "attempt": 1, "epoch": epochs,
            "pid": 4_000_000, "hostname": "elsewhere",
            "started_at": "2026-11-21T10:00:00+00:00", "updated_at": "2026-11-21T10:01:00+00:00",
            "ended_at": None if state == "running" else "2026-11-21T10:01:00+00:00",
            "error": "RuntimeError: CUDA out of memory" if state == "failed" else None,
            "num_epochs": config["num_epochs"], "device": "cuda:1", "gpu_index": 1, "cpu_threads": 1,
            "validation_loss": losses[-1], "best_validation_loss": min(losses),
        },
    )  # fmt: skip
    if state == "completed":
        seconds = {"lstm": 5, "gru": 10, "transformer": 60}[model] * (64 / config["batch_size"]) ** 0.5
        result = {
            "run_id": f"{number:08x}", **_metrics(quality, noise), "validation": _metrics(quality, noise),
            "training_time_seconds": round(seconds * (1 + 0.1 * noise.random()), 3), "epochs_run": epochs,
            "best_epoch": epochs - 1, "best_validation_loss": min(losses), "n_parameters": 4369,
        }  # fmt: skip
        _write_json(run / "test_metrics.json", {**result, **replaced})
    return run


def _quality(model: str, config: Mapping[str, Any]) -> float:
    """The MAE (cycles) without noise: lowest for a learning rate of 0.003, little dropout and a batch of 64."""
    base = {"lstm": 9.0, "gru": 8.5, "transformer": 8.8}[model]
    rate = 1.2 * (math.log10(config["learning_rate"]) - math.log10(0.003)) ** 2
    batch = 0.3 * abs(math.log2(config["batch_size"] / 64))
    return base + rate + batch + 4 * (config["dropout"] - 0.15) ** 2 + 0.5 * config["nasa_weight"]


def _metrics(quality: float, noise: random.Random) -> dict[str, Any]:
    mae = quality * (1 + 0.02 * noise.gauss(0, 1))
    curve = [
        {"threshold": cost, "miss_rate": 0.4 / (1 + cost / 8), "mean_time_to_event": mae * (0.4 + cost / 32)}
        for cost in COSTS
    ]
    return {
        "rul_mae": mae, "rul_rmse": 1.3 * mae, "nasa_score": 80 * mae, "concordance_index": 1 - mae / 150,
        "concordance_index_ipcw": 1 - mae / 149, "integrated_brier_score": mae / 300, "nll": mae / 7,
        "oti": [{"cost": cost, **point} for cost, point in zip(COSTS, curve, strict=True)],
        "oti_at_miss_rate": {"5%": curve[-1]["mean_time_to_event"], "10%": curve[3]["mean_time_to_event"]},
        "policies": {
            name: {"curve": curve, "tuned": curve[3]}
            for name in ("oti", "time_to_event_threshold", "failure_probability")
        },
        "num_units": 18, "num_censored_units": 0, "num_windows": 3682, "num_event_windows": 1152,
    }  # fmt: skip


def _write_log(path: Path, losses: Sequence[float]) -> None:
    best = itertools.accumulate(losses, min)
    rows = [[i, loss, loss, loss, low, 0.001, 1.5] for i, (loss, low) in enumerate(zip(losses, best, strict=True), 1)]
    lines = [COLUMNS, *([*row, row_checksum(row)] for row in rows)]
    path.write_text("".join(f"{','.join(map(str, line))}\n" for line in lines))


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps({"schema_version": 1, **content}, indent=2) + "\n")


def _yaml(value: Any) -> str:
    return "null" if value is None else str(value)
