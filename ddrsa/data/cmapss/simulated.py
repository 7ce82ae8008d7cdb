"""A simulated fleet of turbofan engines that run to failure, in the format of C-MAPSS.

After Saxena, Goebel, Simon, Eklund, "Damage Propagation Modeling for Aircraft Engine Run-to-Failure Simulation",
PHM 2008, whose equations are numbered below. `engine.py` has the response of the sensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ddrsa.data.cmapss.sensors import CONDITIONS, FAULT_MODES, SENSORS, SETTING_NOISE, sensor_values
from ddrsa.data.cmapss.text_format import (
    COLUMNS,
    read_table,
    round_table,
    sequences_from_table,
    write_table,
)
from ddrsa.data.options import SimulatedOptions
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError

TABLE_FILE = "train_simulated.txt"
CENSORED_FILE = "censored_simulated.txt"

# Equation 10: rates a in [0.001, 0.003], exponents b in [1.4, 1.6]; drawn from normal distributions (section V.B).
# Their centres and spreads are set so that lifetimes are as in FD001: 128 to 362 cycles, mean 206, deviation 46.
RATE_RANGE = (0.001, 0.003)
RATE_MEAN, RATE_DEVIATION = 0.0015, 0.00035
EXPONENT_RANGE = (1.4, 1.6)
EXPONENT_MEAN, EXPONENT_DEVIATION = 1.5, 0.03

# Efficiency and flow of one module wear together, but not alike: their rates differ by some percent. This gives each
# unit its own direction in the plane of efficiency and flow (figure 7).
RATE_DIFFERENCE = 0.15

# The wear exp(a t^b) - 1 at which the unit has failed. The paper leaves th_w open; exp(4.3) with the rates above
# gives the lifetimes of FD001, and wear that doubles in the last 20 cycles, as its sensors do.
WEAR_LIMIT = np.exp(4.3) - 1

# Equation 9: up to 1 % of efficiency and flow are lost when new; a margin is used up at 15 % (section V.D).
INITIAL_LOSS_LIMIT = 0.01 / 0.15

# Section V.B: the trajectory is masked by a mixture of two normals with slightly different variances. In shares of
# the margin, and small beside the sensors' own noise.
PROCESS_NOISE = (0.04, 0.06)

# A censored unit leaves the fleet at a random time in this part of its life: late enough to have a history.
CENSORING_RANGE = (0.3, 0.9)


@dataclass(frozen=True, eq=False)
class Fleet:
    """The rows of all units (columns `cmapss_format.COLUMNS`) and the ids of the units that were censored."""

    table: pd.DataFrame
    censored: tuple[int, ...]

    def sequences(self) -> Sequences:
        return sequences_from_table(self.table, censored=self.censored)


def loss(
    cycle: NDArray[np.float64], initial: NDArray[np.float64] | float, rate: float, exponent: float
) -> NDArray[np.float64]:
    """The lost share of a margin at `cycle`: 1 - e(t) of equation 6, with the wear counted from 0 and in units of
    its limit, d + (exp(a t^b) - 1) / limit. The unit fails when it reaches 1."""
    return np.asarray(initial + np.expm1(rate * cycle**exponent) / WEAR_LIMIT)


def failure_time(initial: float, rate: float, exponent: float) -> float:
    """The time in cycles at which `loss` is 1: its inverse, (log(1 + (1 - d) limit) / a)^(1/b)."""
    return float((np.log1p((1 - initial) * WEAR_LIMIT) / rate) ** (1 / exponent))


def simulate_fleet(options: SimulatedOptions) -> Fleet:
    """The fleet of `options`; the same for the same options, bit for bit, and rounded as it is written to a file.

    A unit depends on the seed and its own number only: a larger fleet has the same first units.
    """
    root = np.random.SeedSequence(options.simulation_seed)
    censoring_seed, *unit_seeds = root.spawn(options.num_units + 1)
    censoring = np.random.default_rng(censoring_seed)
    num_censored = round(options.censored_fraction * options.num_units)
    censored = np.sort(censoring.permutation(options.num_units)[:num_censored]) + 1
    kept_share = np.ones(options.num_units + 1)
    kept_share[censored] = censoring.uniform(*CENSORING_RANGE, size=num_censored)
    units = []
    for unit, seed in enumerate(unit_seeds, start=1):
        rows = _simulate_unit(np.random.default_rng(seed), options)
        rows = rows[: max(1, int(kept_share[unit] * len(rows)))]
        units.append(np.column_stack([np.full(len(rows), unit), np.arange(1, len(rows) + 1), rows]))
    table = pd.DataFrame(np.concatenate(units), columns=list(COLUMNS)).astype({"unit": np.int64, "cycle": np.int64})
    return Fleet(round_table(table), tuple(censored.tolist()))


def _simulate_unit(generator: np.random.Generator, options: SimulatedOptions) -> NDArray[np.float64]:
    """(T, 24) settings and sensors of one unit from its first cycle to that of its failure."""
    fault_mode = int(generator.integers(min(options.num_fault_modes, len(FAULT_MODES))))
    rate = np.clip(generator.normal(RATE_MEAN, RATE_DEVIATION), *RATE_RANGE)
    exponent = float(np.clip(generator.normal(EXPONENT_MEAN, EXPONENT_DEVIATION), *EXPONENT_RANGE))
    rates = rate * (1 + RATE_DIFFERENCE * generator.uniform(-1, 1, size=2))
    initial = generator.uniform(0, INITIAL_LOSS_LIMIT, size=2)

    # The health index is the smaller of the two margins (equation 8): the first that is used up ends the life.
    life = int(np.ceil(min(failure_time(d, a, exponent) for d, a in zip(initial, rates, strict=True))))
    cycle = np.arange(1, life + 1, dtype=np.float64)
    condition = generator.integers(options.num_conditions, size=life)
    settings = CONDITIONS[condition] + SETTING_NOISE * generator.standard_normal((life, 3))

    deviation = generator.choice(PROCESS_NOISE, size=(2, life))
    process_noise = options.noise * deviation * generator.standard_normal((2, life))
    efficiency_loss, flow_loss = (
        loss(cycle, d, a, exponent) + noise for d, a, noise in zip(initial, rates, process_noise, strict=True)
    )
    sensor_noise = options.noise * generator.standard_normal((life, len(SENSORS)))
    sensors = sensor_values(condition, fault_mode, efficiency_loss, flow_loss, sensor_noise)
    return np.column_stack([settings, sensors])


def write_fleet(directory: Path, fleet: Fleet) -> None:
    """Write the table in the format of C-MAPSS and, beside it, the ids of the censored units, one on each line."""
    directory.mkdir(parents=True, exist_ok=True)
    write_table(directory / TABLE_FILE, fleet.table)
    (directory / CENSORED_FILE).write_text("".join(f"{unit}\n" for unit in fleet.censored))


def read_fleet(directory: Path) -> Fleet:
    """Read what `write_fleet` wrote. Raises DataError as `read_table`, and where the censored units do not match."""
    table = read_table(directory / TABLE_FILE)
    path = directory / CENSORED_FILE
    try:
        censored = tuple(int(line) for line in path.read_text().splitlines())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read, one unit number on each line is expected: {error}") from error
    unknown = sorted(set(censored) - set(table["unit"]))
    if unknown:
        raise DataError(f"{path} names unit {unknown[0]}, which is not in {directory / TABLE_FILE}")
    return Fleet(table, censored)
