"""Prepare a year of 100 machines as large as Microsoft's: 876,100 rows of telemetry, generated in a scratch folder.

python benchmarks/azure_preparation.py
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from ddrsa.data.azure.files import COMPONENTS, ERRORS, MODELS, find_files, read_azure_pm
from ddrsa.data.load import load_dataset

NUM_MACHINES, NUM_HOURS = 100, 8761
NUM_ERRORS, NUM_REPLACEMENTS, NUM_FAILURES = 3919, 3286, 761
STEP_HOURS = 15


def write_year(folder: Path) -> None:
    """The five files, as many rows in each as in Microsoft's, with random content."""
    rng = np.random.default_rng(0)
    start = pd.Timestamp("2015-01-01 06:00:00")
    telemetry = pd.DataFrame(
        {
            "datetime": np.tile(pd.date_range(start, periods=NUM_HOURS, freq="h").astype(str), NUM_MACHINES),
            "machineID": np.repeat(np.arange(1, NUM_MACHINES + 1), NUM_HOURS),
        }
    )
    for signal, mean, deviation in (
        ("volt", 171, 15),
        ("rotate", 446, 53),
        ("pressure", 101, 11),
        ("vibration", 40, 5),
    ):
        telemetry[signal] = rng.normal(mean, deviation, len(telemetry))
    telemetry.to_csv(folder / "PdM_telemetry.csv", index=False)
    for name, column, kinds, count in (
        ("errors", "errorID", ERRORS, NUM_ERRORS),
        ("maint", "comp", COMPONENTS, NUM_REPLACEMENTS),
        ("failures", "failure", COMPONENTS, NUM_FAILURES),
    ):
        hours = rng.integers(NUM_HOURS, size=count)
        machines, kind = rng.integers(1, NUM_MACHINES + 1, count), rng.choice(kinds, count)
        events = pd.DataFrame(
            {"datetime": start + pd.to_timedelta(hours, unit="h"), "machineID": machines, column: kind}
        )
        events.to_csv(folder / f"PdM_{name}.csv", index=False)
    machines = pd.DataFrame({"machineID": np.arange(1, NUM_MACHINES + 1)})
    machines["model"] = rng.choice(MODELS, NUM_MACHINES)
    machines["age"] = rng.integers(0, 21, NUM_MACHINES)
    machines.to_csv(folder / "PdM_machines.csv", index=False)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "azure_pm"
        folder.mkdir()
        write_year(folder)
        size = (folder / "PdM_telemetry.csv").stat().st_size / 1e6
        start = time.perf_counter()
        sequences = read_azure_pm(find_files(Path(scratch)), STEP_HOURS)
        preparation = time.perf_counter() - start
        print(f"telemetry: {NUM_MACHINES * NUM_HOURS} rows, {size:.0f} MB")
        print(f"prepared in {preparation:.1f} s: {sequences.num_units} units, {sequences.num_rows} rows")
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        seconds = []
        for _ in range(2):
            start = time.perf_counter()
            load_dataset({"name": "azure_pm"}, data_dir=scratch, cache_dir=Path(scratch) / "cache", seed=0)
            seconds.append(time.perf_counter() - start)
        print(f"with splits and scaling {seconds[0]:.1f} s, from the cache {seconds[1]:.1f} s")


if __name__ == "__main__":
    main()
