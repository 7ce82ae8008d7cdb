"""`make chaos N=500 SEED=0`: trials of sweeps with faults, and a table of what they found."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from chaos_trial import References, Trial, run_trial


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="of the first trial; the others follow")
    parser.add_argument("--seeds", type=int, nargs="+", help="of the trials, instead")
    parser.add_argument("--directory", type=Path, default=None, help="where what was found is kept")
    options = parser.parse_args()
    directory = options.directory or Path(tempfile.mkdtemp(prefix="ddrsa-chaos-"))
    directory.mkdir(parents=True, exist_ok=True)
    references = References(directory)
    trials: list[Trial] = []
    for seed in options.seeds or range(options.seed, options.seed + options.trials):
        began = time.monotonic()
        trial = run_trial(seed, directory / f"trial-{seed}", references)
        trials.append(trial)
        seen = "survived" if trial.finding is None else f"FOUND {trial.finding}"
        print(f"{seed} {trial.kind} {time.monotonic() - began:.0f} s: {'; '.join(trial.notes)}: {seen}", flush=True)
    _print_table(trials, directory)
    return int(any(trial.finding for trial in trials))


def _print_table(trials: list[Trial], directory: Path) -> None:
    tried = Counter(fault for trial in trials for fault in set(trial.faults))
    survived = Counter(fault for trial in trials if trial.finding is None for fault in set(trial.faults))
    print("\n| fault | trials | survived |\n|---|---|---|")
    for fault in sorted(tried):
        print(f"| {fault} | {tried[fault]} | {survived[fault]} |")
    found = [trial for trial in trials if trial.finding]
    print(f"\n{len(trials)} trials, {len(found)} with a finding" + (f", kept in {directory}" if found else ""))
    for trial in found:
        print(f"seed {trial.seed}: {trial.finding}")


if __name__ == "__main__":
    sys.exit(main())
