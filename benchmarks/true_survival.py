"""Predicted against true survival on a simulated fleet, where the truth is known.

python benchmarks/true_survival.py [--units 100] [--epochs 12] [--test-units 20] [--particles 2000] [--passes 2]

The life of a simulated engine is decided by six numbers that no sensor shows: the wear rate and exponent, how the rates
of efficiency and flow differ, and what both have lost when new. Given the sensors up to a cycle, and that the engine
still runs, the true survival function is that of the posterior of these numbers under the simulator's own laws. It is
computed here by a particle filter over the cycles ("iterated batch importance sampling": Chopin, Biometrika 89, 2002):
particles are weighted by each cycle's likelihood, and when few are left that count, drawn anew and moved by
Metropolis-Hastings steps that leave the posterior as it is. Nothing can forecast better than that. It is computed
twice, to show what the particles leave uncertain.

Compared with it: DDRSA models, and the Kaplan-Meier estimate of the training lifetimes given the age of the engine.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from policy_regret import Lives, report_regret
from scipy.special import logsumexp, ndtr
from torch import Tensor

from ddrsa.data.cmapss import simulated
from ddrsa.data.cmapss.sensors import SENSORS
from ddrsa.data.cmapss.text_format import DECIMALS, SETTINGS
from ddrsa.data.cmapss.text_format import SENSORS as SENSOR_NAMES
from ddrsa.data.load import Dataset, load_dataset
from ddrsa.data.options import SimulatedOptions
from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.evaluation.forecasts import forecast_rows
from ddrsa.models.build import build_model
from ddrsa.models.options import RecurrentOptions
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.calibration.correction import Calibration, exact_correction
from ddrsa.survival.calibration.measures import d_calibration
from ddrsa.survival.hazard import survival
from ddrsa.training.options import TrainingOptions
from ddrsa.training.trainer import train

Floats = NDArray[np.float64]
LOOKBACK, HORIZON = 48, 96
DIMENSIONS = 6
MOVES = 6


@dataclass(frozen=True)
class Observations:
    """What the sensors of one engine say of its losses of efficiency and flow.

    estimate: (T, 2) the generalised least squares estimate at each cycle: of all that the sensors show, what depends on
    the wear. covariance: (2, 2) of its error by the sensors' noise, to which the simulator's process noise comes.
    """

    estimate: Floats
    covariance: Floats


def observe(sensors: Floats) -> Observations:
    """From the sensors (T, 21) of an engine at sea level with a worn compressor."""
    shift = np.array([sensor.shift[0] for sensor in SENSORS])
    share = np.array([sensor.efficiency_share for sensor in SENSORS])
    baseline = np.array([sensor.baseline[0] for sensor in SENSORS])
    decimals = np.array([DECIMALS[name] for name in SENSOR_NAMES])
    used = shift != 0
    # Rounding to a digit adds the variance of a uniform distribution.
    variance = np.array([sensor.noise for sensor in SENSORS]) ** 2 + 10.0 ** (-2 * decimals) / 12
    response = (shift * np.stack([share, 1 - share]))[:, used].T
    weighted = response / variance[used, None]
    covariance = np.linalg.inv(response.T @ weighted)
    return Observations((sensors - baseline)[:, used] @ weighted @ covariance, covariance)


@dataclass(frozen=True)
class Wear:
    """Engines, from (n, 6) standard normal coordinates of what decides their lives. initial, rate: (n, 2)."""

    initial: Floats
    rate: Floats
    exponent: Floats

    @classmethod
    def of(cls, coordinates: Floats) -> Wear:
        rate = simulated.RATE_MEAN + simulated.RATE_DEVIATION * coordinates[:, 0]
        exponent = simulated.EXPONENT_MEAN + simulated.EXPONENT_DEVIATION * coordinates[:, 1]
        uniform = ndtr(coordinates[:, 2:])
        difference = 1 + simulated.RATE_DIFFERENCE * (2 * uniform[:, :2] - 1)
        return cls(
            simulated.INITIAL_LOSS_LIMIT * uniform[:, 2:],
            np.clip(rate, *simulated.RATE_RANGE)[:, None] * difference,
            np.clip(exponent, *simulated.EXPONENT_RANGE),
        )

    def life(self) -> Floats:
        """(n,) the cycle of the failure."""
        wear = np.log1p((1 - self.initial) * simulated.WEAR_LIMIT)
        return np.ceil((wear / self.rate) ** (1 / self.exponent[:, None])).min(axis=1)

    def losses(self, cycles: Floats) -> Floats:
        """(n, T, 2) at the cycles (T,), as `simulated.loss`."""
        power = cycles ** self.exponent[:, None]
        return self.initial[:, None] + np.expm1(self.rate[:, None] * power[..., None]) / simulated.WEAR_LIMIT


def log_likelihood(wear: Wear, seen: Observations, first: int, last: int) -> Floats:
    """(n,) of the cycles first .. last and of the engine being alive at the last one. Cycles count from 1."""
    alive = wear.life() >= last
    result = np.full(len(alive), -np.inf)
    cycles = np.arange(first, last + 1, dtype=np.float64)
    kept = Wear(wear.initial[alive], wear.rate[alive], wear.exponent[alive])
    error = seen.estimate[first - 1 : last] - kept.losses(cycles)
    terms = []
    for deviations in np.array(np.meshgrid(simulated.PROCESS_NOISE, simulated.PROCESS_NOISE)).reshape(2, -1).T:
        covariance = seen.covariance + np.diag(deviations**2)
        inverse = np.linalg.inv(covariance)
        square = (
            inverse[0, 0] * error[..., 0] ** 2
            + 2 * inverse[0, 1] * error[..., 0] * error[..., 1]
            + inverse[1, 1] * error[..., 1] ** 2
        )
        terms.append(-0.5 * (square + np.log(np.linalg.det(covariance))))
    result[alive] = np.logaddexp.reduce(terms, axis=0).sum(axis=1)
    return result


def true_survival(seen: Observations, horizon: int, num_particles: int, generator: np.random.Generator) -> Floats:
    """(T, horizon): at each cycle P(tau > k) given the sensors up to it, and that the engine runs."""
    particles = generator.standard_normal((num_particles, DIMENSIONS))
    log_weights = np.zeros(num_particles)
    result = np.empty((len(seen.estimate), horizon))
    for cycle in range(1, len(seen.estimate) + 1):
        log_weights = log_weights + log_likelihood(Wear.of(particles), seen, cycle, cycle)
        weights = np.exp(log_weights - logsumexp(log_weights))
        if 1 / (weights**2).sum() < num_particles / 2:
            particles = _move(_draw(particles, weights, generator), seen, cycle, generator)
            log_weights = np.zeros(num_particles)
            weights = np.full(num_particles, 1 / num_particles)
        remaining = Wear.of(particles).life() - cycle
        at = np.clip(remaining, 0, horizon).astype(np.int64)
        # P(tau > k): the weight of all that fail after step k.
        result[cycle - 1] = 1 - np.bincount(at, weights, minlength=horizon + 1).cumsum()[:horizon]
    return result.clip(0, 1)


def _draw(particles: Floats, weights: Floats, generator: np.random.Generator) -> Floats:
    """Systematic resampling."""
    positions = (generator.random() + np.arange(len(weights))) / len(weights)
    index = np.searchsorted(weights.cumsum(), positions)
    return particles[np.minimum(index, len(weights) - 1)]


def _move(particles: Floats, seen: Observations, cycle: int, generator: np.random.Generator) -> Floats:
    """Metropolis-Hastings steps with the posterior of the cycles 1 .. cycle, proposals of the particles' own shape."""
    spread = np.cov(particles.T) + 1e-9 * np.eye(DIMENSIONS)
    root = np.linalg.cholesky(spread) * 2.38 / np.sqrt(DIMENSIONS)
    density = log_likelihood(Wear.of(particles), seen, 1, cycle) - 0.5 * (particles**2).sum(axis=1)
    for move in range(MOVES):
        # Every other step is a short one, for where the posterior is narrow and bent.
        step = generator.standard_normal(particles.shape) @ root.T * (1.0 if move % 2 == 0 else 0.3)
        proposed = particles + step
        proposed_density = log_likelihood(Wear.of(proposed), seen, 1, cycle) - 0.5 * (proposed**2).sum(axis=1)
        accepted = np.log(generator.random(len(particles))) < proposed_density - density
        particles = np.where(accepted[:, None], proposed, particles)
        density = np.where(accepted, proposed_density, density)
    return particles


def kaplan_meier_survival(lifetimes: Floats, ages: NDArray[np.int64], horizon: int) -> Floats:
    """(n, horizon): P(tau > k) at the ages (n,), from the lifetimes of the training engines alone, none censored."""
    alive = np.array([(lifetimes > cycle).mean() for cycle in range(int(ages.max()) + horizon + 1)])
    later = alive[ages[:, None] + np.arange(horizon)]
    now = alive[ages - 1][:, None]
    return np.divide(later, now, out=np.zeros_like(later), where=now > 0)


def model_logits(data: Dataset, parts: list[Sequences], epochs: int, lambda_param: float) -> list[Tensor]:
    """(N, HORIZON) of a trained LSTM on every row of each of `parts`, as it gives them."""
    torch.manual_seed(0)
    model = build_model(
        RecurrentOptions("lstm", 16, 1),
        num_features=len(data.training.feature_names),
        lookback=LOOKBACK,
        horizon=HORIZON,
        dropout=0.0,
    )
    options = TrainingOptions(128, 0.01, lambda_param, 0.0, epochs, 0, 1e-4, 1.0, "cosine", 1.0, seed=0)
    training, validation = Windows(data.training, LOOKBACK), Windows(data.validation, LOOKBACK)
    with tempfile.TemporaryDirectory() as directory:
        train(model, training, validation, options, TrainingDirectory(Path(directory)), {}, lambda _: False)
    return [forecast_rows(model, part, LOOKBACK, torch.device("cpu")) for part in parts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--units", type=int, default=100, help="engines of the fleet; half of them train")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--test-units", type=int, default=20)
    parser.add_argument("--particles", type=int, default=2000)
    parser.add_argument("--passes", type=int, default=2, choices=[1, 2], help="2: the truth twice, to compare")
    parser.add_argument("--lambda-param", type=float, nargs="+", default=[0.75, 0.5])
    arguments = parser.parse_args()
    logging.disable()
    torch.set_num_threads(1)
    options = SimulatedOptions(num_units=arguments.units)
    data = load_dataset({"name": "simulated", "num_units": arguments.units}, data_dir=".", cache_dir=None, seed=0)
    chosen = data.test.unit_ids[: arguments.test_units]
    test = data.test.select_units(chosen)
    raw = simulated.simulate_fleet(options).sequences().select_units(chosen)
    age = np.arange(raw.num_rows) - raw.unit_start_of_row + 1
    tau = raw.time_to_event.astype(np.float64)
    print(f"{data.training.num_units} training engines, {len(chosen)} test engines with {raw.num_rows} cycles")

    start = time.perf_counter()
    sensors = raw.features[:, len(SETTINGS) :].astype(np.float64)
    methods = {}
    lives: dict[str, tuple[Lives, Lives]] = {}
    for name, seed in (("the truth", 0), ("the truth, other particles", 1))[: arguments.passes]:
        units = [
            true_survival(observe(sensors[raw.unit == unit]), HORIZON, arguments.particles, np.random.default_rng(seed))
            for unit in chosen
        ]
        methods[name] = np.concatenate(units)
    print(f"true survival by {arguments.particles} particles: {time.perf_counter() - start:.0f} s")
    for value in arguments.lambda_param:
        start = time.perf_counter()
        logits = model_logits(data, [data.validation, test], arguments.epochs, value)
        corrections = {f"LSTM, lambda {value:g}": Calibration(), f"  calibrated ({value:g})": exact_correction(value)}
        for named, correction in corrections.items():
            survivals = [survival(correction(part)).double().numpy() for part in logits]
            methods[named] = survivals[1]
            lives[named] = (
                Lives(survivals[0], data.validation.time_to_event.astype(np.float64), data.validation.unit),
                Lives(survivals[1], tau, raw.unit),
            )
        print(f"LSTM with lambda_param={value:g}: {time.perf_counter() - start:.0f} s")
    lifetimes = data.training.lifetimes.astype(np.float64)
    methods["Kaplan-Meier at that age"] = kaplan_meier_survival(lifetimes, age, HORIZON)
    validation = data.validation
    validation_age = np.arange(validation.num_rows) - validation.unit_start_of_row + 1
    lives["Kaplan-Meier at that age"] = (
        Lives(
            kaplan_meier_survival(lifetimes, validation_age, HORIZON),
            validation.time_to_event.astype(np.float64),
            validation.unit,
        ),
        Lives(methods["Kaplan-Meier at that age"], tau, raw.unit),
    )
    report(methods, tau, raw.unit)
    report_regret(Lives(methods["the truth"], tau, raw.unit), lives)


def report(methods: dict[str, Floats], tau: Floats, unit: NDArray[np.int64]) -> None:
    """Print the tables. tau, unit: (N,) of each row; the first of the methods is the truth."""
    time_, event = np.minimum(tau, HORIZON), tau < HORIZON
    outcome = tau[:, None] > np.arange(HORIZON)
    truth = methods["the truth"]
    print("\nISD: mean squared difference of the survival from the true one, over the horizon and all cycles")
    print("Brier: integrated Brier score against what happened; MAE of the RUL inside the horizon, cycles")
    print(f"\n{'':26}{'ISD':>9}{'Brier':>9}{'MAE':>8}{'D-calibration p':>17}")
    for name, predicted in methods.items():
        difference = ((predicted - truth) ** 2).mean()
        brier = ((predicted - outcome) ** 2).mean()
        error = np.abs(predicted.sum(axis=1) - tau)[event].mean()
        p_value = d_calibration(predicted, time_, event, unit)["p_value"]
        print(f"{name:26}{difference:9.5f}{brier:9.5f}{error:8.2f}{p_value:17.3g}")
    ranges = [(0, 10), (10, 25), (25, 50), (50, 96), (96, np.inf)]
    print(f"\nISD by time to event{'':6}" + "".join(f"{f'{low}-{high:g}':>10}" for low, high in ranges))
    for name, predicted in list(methods.items())[1:]:
        cells = [((predicted - truth) ** 2).mean(axis=1)[(tau >= low) & (tau < high)].mean() for low, high in ranges]
        print(f"{name:26}" + "".join(f"{cell:10.5f}" for cell in cells))


if __name__ == "__main__":
    main()
