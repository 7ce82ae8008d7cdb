"""Races replayed from recorded tables of scores: how often the word at the end is wrong, and how many runs it took.

Each table has the validation NLL of 18 configurations, each trained with 20 seeds on the simulated fleet. That of
race_scores.csv is by

    python train.py -m experiment=quick model=gru,lstm,tcn batch_size=64,128,256 learning_rate=0.003,0.01 \
        'seed=range(20)' num_epochs=6 lookback=16 horizon=40 dataset.num_units=40 device=cpu hydra.sweep.dir=DIR

and `python benchmarks/race.py --record DIR` writes it: its best three differ by less than the noise of a run. That of
race_scores_clear.csv is by race_trainings.py, beside this script: one configuration is better than all others. A replay
draws 20 repeats from the recorded seeds, with replacement, so that the truth is known: the means of the table.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from ddrsa.sweep.race.race import Race
from ddrsa.sweep.race.standings import Floats, Rules, Word

TABLES = {
    "close": Path(__file__).with_name("race_scores.csv"),
    "clear": Path(__file__).with_name("race_scores_clear.csv"),
}
# What a way of choosing ends with: the configuration, the word, and the runs.
Choice = tuple[int, Word, int]


def race(rules: Rules, n_jobs: int) -> Callable[[Floats], Choice]:
    """A race, looked at after each run."""

    def choose(scores: Floats) -> Choice:
        under_way = Race(len(scores), rules)
        while wanted := under_way.wanted((), under_way.ended, n_jobs):
            for entry in wanted:
                under_way.record(entry, float(scores[entry]))
        leader = under_way.look().leader
        assert leader is not None
        return leader, under_way.word(), under_way.ended

    return choose


def successive_halving(first: int) -> Callable[[Floats], Choice]:
    """Keep the better half, with twice as many seeds each time, until one is left: an answer without its error."""

    def choose(scores: Floats) -> Choice:
        left, seen, runs = np.arange(len(scores)), 0, 0
        wanted = first
        while len(left) > 1 and seen < scores.shape[1]:
            runs += len(left) * (min(wanted, scores.shape[1]) - seen)
            seen = min(wanted, scores.shape[1])
            means = scores[left, :seen].mean(axis=1)
            left = left[np.argsort(means, kind="stable")[: max(len(left) // 2, 1)]]
            wanted *= 2
        return int(left[0]), Word.BETTER, runs

    return choose


def full_grid(scores: Floats) -> Choice:
    """All seeds of all configurations, and the lowest mean."""
    return int(scores.mean(axis=1).argmin()), Word.BETTER, scores.size


def record(sweep_dir: Path) -> None:
    """Write the table from a sweep."""
    import ddrsa

    runs = ddrsa.read_sweep(sweep_dir)
    table = runs.pivot_table(index=["model", "batch_size", "learning_rate"], columns="seed", values="validation_nll")
    if table.isna().any().any():
        raise SystemExit(f"{sweep_dir}: {int(table.isna().sum().sum())} of {table.size} runs have no validation_nll")
    table.round(6).to_csv(TABLES["close"])
    print(f"{len(table)} configurations x {table.shape[1]} seeds in {TABLES['close'].name}")


def replay_table(path: Path, options: argparse.Namespace) -> None:
    """Print what each way gives on a table."""
    frame = pd.read_csv(path)
    scores = frame[[name for name in frame if name.isdigit()]].to_numpy()
    means = np.sort(scores.mean(axis=1))
    residual = scores - scores.mean(axis=1, keepdims=True) - scores.mean(axis=0) + scores.mean()
    print(
        f"{path.name}: {scores.shape[0]} configurations x {scores.shape[1]} seeds; best mean {means[0]:.4f}, the next"
    )
    print(f"{means[1] - means[0]:.4f}, {means[2] - means[0]:.4f}, {means[5] - means[0]:.4f} (6th), "
          f"{means[-1] - means[0]:.4f} (last) worse; noise of a run {residual.std():.4f}, of single configurations "
          f"{residual.std(axis=1).min():.4f} to {residual.std(axis=1).max():.4f}\n")  # fmt: skip
    ways: dict[str, tuple[Callable[[Floats], Choice], float]] = {}
    for delta in options.deltas:
        for shared in (True, False):
            rules = Rules(3, scores.shape[1], delta, 0.05, shared)
            name = f"race, noise={'shared' if shared else 'own'}, delta={delta:g}"
            ways[name] = (race(rules, options.n_jobs), delta)
    ways["successive halving from 3 seeds"] = (successive_halving(3), 0.0)
    ways["successive halving from 1 seed"] = (successive_halving(1), 0.0)
    ways["full grid"] = (full_grid, 0.0)
    truth = scores.mean(axis=1)
    random = np.random.default_rng(0)
    draws = [random.integers(0, scores.shape[1], scores.shape[1]) for _ in range(options.replays)]
    print(
        "| way | false winner | wrong by delta or more | better | equal | undecided | runs (mean) | of the full grid |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, (choose, delta) in ways.items():
        choices = [choose(scores[:, draw]) for draw in draws]
        words = Counter(word for _, word, _ in choices)
        false = np.mean([word is Word.BETTER and truth[best] > truth.min() for best, word, _ in choices])
        far = np.mean([word is not Word.UNDECIDED and truth[best] - truth.min() > delta for best, word, _ in choices])
        runs = np.mean([count for _, _, count in choices])
        shares = " | ".join(f"{words[word] / len(choices):.1%}" for word in Word)
        print(
            f"| {name} | {false:.1%} | {far:.1%} | {shares} | {runs:.0f} | 1 / {scores.size / runs:.1f} |", flush=True
        )
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, help="the directory of the sweep")
    parser.add_argument("--replays", type=int, default=1000)
    parser.add_argument("--deltas", type=float, nargs="+", default=[0.0, 0.02, 0.05])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args()
    if options.record is not None:
        record(options.record)
        return
    for name in options.tables:
        replay_table(TABLES[name], options)


if __name__ == "__main__":
    main()
