"""A grid of DDRSA models by a script as research code often has it: windows in memory, a queue, worker processes.

    python benchmarks/queue_script.py --data-dir DIR --out DIR [--epochs 3] [--workers 2]

The peer of `peer_grid.py`, written for it and used by nothing else. It knows none of the project: it reads FD001, makes
every window as an array, trains with PyTorch's own layers, tests on the held-out engines, and writes a table.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import json
import multiprocessing
import queue
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

LOOKBACK, HORIZON, HIDDEN = 128, 100, 16
GRID = {"model": ["lstm", "gru"], "batch_size": [64, 128], "learning_rate": [0.001, 0.005]}


class Model(nn.Module):
    """Encoder, decoder with the encoder's last state at each step, a logit for each step."""

    def __init__(self, kind: str, features: int) -> None:
        super().__init__()
        layer = nn.LSTM if kind == "lstm" else nn.GRU
        self.encoder = layer(features, HIDDEN, batch_first=True)
        self.decoder = layer(HIDDEN, HIDDEN, batch_first=True)
        self.output = nn.Linear(HIDDEN, 1)

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        states, _ = self.encoder(windows)
        steps, _ = self.decoder(states[:, -1:].expand(-1, HORIZON, -1).contiguous())
        return self.output(steps).squeeze(-1)


def read(data_dir: Path) -> list[np.ndarray]:
    """The rows of each engine: the settings and sensors that vary."""
    path = data_dir / "turbofan" / "train_FD001.txt"
    if path.exists():
        rows = np.loadtxt(path)
    else:
        with gzip.open(f"{path}.gz", "rt") as stream:
            rows = np.loadtxt(stream)
    return [rows[rows[:, 0] == unit, 2:].astype(np.float32) for unit in np.unique(rows[:, 0])]


def windows_of(engines: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Every window, with zeros before the first row, and the cycles until the failure."""
    windows, left = [], []
    for rows in engines:
        padded = np.concatenate([np.zeros((LOOKBACK - 1, rows.shape[1]), np.float32), rows])
        windows += [padded[end : end + LOOKBACK] for end in range(len(rows))]
        left += list(range(len(rows) - 1, -1, -1))
    return torch.from_numpy(np.stack(windows)), torch.tensor(left)


def loss_of(logits: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
    """The DDRSA loss with lambda 0.75."""
    survival = nn.functional.logsigmoid(-logits).cumsum(1)
    inside = left < HORIZON
    at = left.clamp(max=HORIZON - 1)[:, None]
    before = torch.where(at[:, 0] > 0, survival.gather(1, (at - 1).clamp(min=0))[:, 0], 0.0)
    event = before + nn.functional.logsigmoid(logits.gather(1, at))[:, 0]
    some = torch.log1p(-survival[:, -1].exp().clamp(max=1 - 1e-6))
    return torch.where(inside, -0.75 * event - 0.25 * some, -0.25 * survival[:, -1]).mean()


def evaluate(model: Model, windows: torch.Tensor, left: torch.Tensor) -> dict[str, float]:
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(part) for part in windows.split(512)])
    expected = nn.functional.logsigmoid(-logits).cumsum(1).exp().sum(1)
    inside = left < HORIZON
    error = expected[inside] - left[inside]
    return {
        "loss": loss_of(logits, left).item(),
        "mae": error.abs().mean().item(),
        "rmse": error.square().mean().sqrt().item(),
    }


def train(job: dict, data_dir: Path, epochs: int) -> dict:
    torch.manual_seed(0)
    start = time.perf_counter()
    engines = read(data_dir)
    order = np.random.default_rng(0).permutation(len(engines))
    test, others = order[:30], order[30:]
    validation, training = others[:21], others[21:]
    low = np.min([engines[unit].min(0) for unit in training], axis=0)
    span = np.max([engines[unit].max(0) for unit in training], axis=0) - low
    span[span == 0] = 1
    parts = [windows_of([(engines[unit] - low) / span for unit in part]) for part in (training, validation, test)]
    (windows, left), held_out, tested = parts
    model = Model(job["model"], windows.shape[-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=job["learning_rate"])
    best, best_state = float("inf"), None
    for _ in range(epochs):
        model.train()
        for index in torch.randperm(len(windows)).split(job["batch_size"]):
            optimizer.zero_grad()
            loss_of(model(windows[index]), left[index]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        found = evaluate(model, *held_out)["loss"]
        if found < best:
            best, best_state = found, {key: value.clone() for key, value in model.state_dict().items()}
    model.load_state_dict(best_state)
    return {**job, "validation_loss": best, **evaluate(model, *tested), "seconds": time.perf_counter() - start}


def worker(jobs, results, data_dir: Path, epochs: int, threads: int) -> None:
    torch.set_num_threads(threads)
    while True:
        try:
            job = jobs.get(timeout=1)
        except queue.Empty:
            return
        results.put(train(job, data_dir, epochs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    jobs, results = context.Queue(), context.Queue()
    grid = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    for job in grid:
        jobs.put(job)
    threads = max(multiprocessing.cpu_count() // arguments.workers, 1)
    given = (jobs, results, arguments.data_dir, arguments.epochs, threads)
    workers = [context.Process(target=worker, args=given) for _ in range(arguments.workers)]
    for process in workers:
        process.start()
    rows = []
    while len(rows) < len(grid):
        try:
            rows.append(results.get(timeout=5))
        except queue.Empty:
            if not any(process.is_alive() for process in workers):
                raise SystemExit("the workers ended early") from None
            continue
        (arguments.out / "results.json").write_text(json.dumps(rows, indent=2))
    for process in workers:
        process.join()
    with (arguments.out / "summary.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(sorted(rows, key=lambda row: row["validation_loss"]))


if __name__ == "__main__":
    main()
