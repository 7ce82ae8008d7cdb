"""The baselines: their forecasts against those of other libraries, and their checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sksurv.nonparametric import kaplan_meier_estimator

from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.models.base import DDRSAModel, ages
from ddrsa.models.boosting import RECENT_ROWS, BoostedDDRSA, interval_starts, summaries
from ddrsa.models.forecast import forecast
from ddrsa.models.kaplan_meier import KaplanMeierDDRSA
from ddrsa.models.options import BaselineOptions, BoostingOptions, KaplanMeierOptions
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.hazard import survival
from ddrsa.survival.losses import negative_log_likelihood
from ddrsa.training.baselines import train_baseline
from ddrsa.training.boosting import bin_edges, hazard_rows, tree_tables
from ddrsa.training.checkpoint import load_checkpoint
from ddrsa.training.epoch_log import EpochRecord
from ddrsa.training.options import TrainingOptions

HORIZON = 20
BOOSTING = BoostingOptions("boosting", 3, 0.3, 5, 10, 100_000)


def mean_nll(model: DDRSAModel, windows: Windows) -> float:
    logits = forecast(model, [batch.windows for batch in windows.batches(50)])
    return float(negative_log_likelihood(logits, windows.time_to_event, windows.event_observed).double().mean())


def training_options(num_epochs: int = 4, patience: int = 0) -> TrainingOptions:
    return TrainingOptions(
        32, 0.01, 0.75, 0.0, num_epochs, patience, 0.0, 1.0, "constant", 0.0, 0, "likelihood"
    )  # fmt: skip


def test_ages_are_counted_from_the_first_row_whatever_the_lookback(fleet: Sequences) -> None:
    windows = Windows(fleet, 3, ages=True)
    found = torch.cat([ages(batch.windows) for batch in windows.batches(7)])
    assert np.array_equal(found.numpy(), np.arange(fleet.num_rows) - fleet.unit_start_of_row + 1)


def test_windows_without_ages_are_refused(fleet: Sequences) -> None:
    batch = next(Windows(fleet, 3).batches(fleet.num_rows))
    with pytest.raises(ValueError, match="not the age of each row"):
        KaplanMeierDDRSA(HORIZON)(batch.windows)


def test_with_a_narrow_kernel_it_is_the_kaplan_meier_estimate(fleet: Sequences) -> None:
    model = KaplanMeierDDRSA(HORIZON)
    last_age, failed = fleet.lifetimes.astype(np.int64), fleet.unit_event_observed
    model.fit(torch.from_numpy(last_age), torch.from_numpy(failed), bandwidth=0.1)
    # A censored unit survives its last row: it is at risk there, and fails later.
    times, expected = kaplan_meier_estimator(failed, last_age)
    at_birth = torch.tensor([[[0.0, 1.0]]])
    found = survival(model(at_birth).double())[0].numpy()
    ages_ = np.arange(1, HORIZON + 1)
    position = np.searchsorted(times, ages_, side="right")
    assert found == pytest.approx(np.concatenate([[1.0], expected])[position], abs=1e-4)


def test_kaplan_meier_goes_on_from_the_age(fleet: Sequences) -> None:
    model = KaplanMeierDDRSA(HORIZON)
    model.fit(torch.tensor([4, 9, 9, 30]), torch.tensor([True, True, False, True]), bandwidth=2.0)
    windows = Windows(fleet, 2, ages=True)
    logits = forecast(model, [batch.windows for batch in windows.batches(50)])
    for row in (0, 3, 17):
        age = row - int(fleet.unit_start_of_row[row]) + 1
        expected = [float(model.hazard_logits[min(age - 1 + k, 29)]) for k in range(HORIZON)]
        assert logits[row].tolist() == expected


def test_summaries_are_those_of_the_rows_that_are_there(fleet: Sequences) -> None:
    lookback = 12
    found = torch.cat([summaries(b.windows) for b in Windows(fleet, lookback, ages=True).batches(31)]).numpy()
    for row in range(0, fleet.num_rows, 5):
        start = max(int(fleet.unit_start_of_row[row]), row - lookback + 1)
        values = fleet.features[start : row + 1].astype(np.float64)
        slopes = [np.polyfit(np.arange(len(values)), column, 1)[0] if len(values) > 1 else 0 for column in values.T]
        expected = [*values[-RECENT_ROWS:].mean(0), *values.mean(0), *slopes, *values.std(0)]
        assert found[row] == pytest.approx([*expected, row - fleet.unit_start_of_row[row] + 1], abs=1e-4)


def test_weighted_log_loss_of_the_rows_is_the_likelihood_of_the_windows() -> None:
    rng = np.random.default_rng(0)
    starts = interval_starts(HORIZON)
    tau, seen = torch.from_numpy(rng.integers(0, 30, 200)).float(), torch.from_numpy(rng.random(200) < 0.6)
    of_interval = torch.from_numpy(rng.normal(-2, 1, (200, len(starts))))
    lengths = torch.tensor(np.diff([*starts, HORIZON]))
    logits = of_interval.repeat_interleave(lengths, dim=1)
    rows = hazard_rows(tau, seen, starts, HORIZON)
    at = of_interval[rows.window, rows.interval]
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        at, torch.from_numpy(rows.label).double(), weight=torch.from_numpy(rows.weight), reduction="none"
    )
    by_window = torch.zeros(200, dtype=torch.float64).index_add(0, torch.from_numpy(rows.window), losses)
    assert torch.allclose(by_window, negative_log_likelihood(logits, tau, seen))


def test_trees_as_tensors_say_what_scikit_learn_says() -> None:
    rng = np.random.default_rng(0)
    model = BoostedDDRSA(num_features=2, horizon=HORIZON)
    table = rng.normal(size=(3000, model.num_columns)).astype(np.float32)
    table[:, -1] = rng.integers(0, len(model.starts), 3000)
    label = rng.random(3000) < 1 / (1 + np.exp(-table[:, 0] - (table[:, 3] > 0.5) * table[:, -1]))
    edges = [*bin_edges(table[:, :-1]), np.arange(len(model.starts), dtype=np.float32)]

    def bins(values: np.ndarray) -> np.ndarray:
        return np.stack([np.searchsorted(edge, column) for edge, column in zip(edges, values.T, strict=True)], 1)

    trees = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=9, early_stopping=False)
    trees.fit(bins(table), label)
    model.set_trees(trees._baseline_prediction.item(), tree_tables(trees._predictors, edges))
    new = rng.normal(size=(500, model.num_columns)).astype(np.float32)
    new[:, -1] = rng.integers(0, len(model.starts), 500)
    found = (model.prior + model.sum_of_trees(torch.from_numpy(new))).sigmoid().numpy()
    assert found == pytest.approx(trees.predict_proba(bins(new))[:, 1], abs=1e-5)
    halves = model.sum_of_trees(torch.from_numpy(new), 12)
    model.set_trees(0.0, {name: table[:12] for name, table in tree_tables(trees._predictors, edges).items()})
    whole = halves + model.sum_of_trees(torch.from_numpy(new)) + trees._baseline_prediction.item()
    assert whole.sigmoid().numpy() == pytest.approx(found, abs=1e-5)


@pytest.mark.parametrize("name", ["kaplan_meier", "boosting"])
def test_interrupted_fit_goes_on_to_the_same_model(name: str, fleet: Sequences, tmp_path: Path) -> None:
    options: BaselineOptions = KaplanMeierOptions(name) if name == "kaplan_meier" else BOOSTING
    windows = Windows(fleet, 6, ages=True)

    def fit(directory: Path, stop_after: int) -> tuple[DDRSAModel, list[EpochRecord]]:
        directory.mkdir(exist_ok=True)
        model: DDRSAModel = KaplanMeierDDRSA(HORIZON) if name == "kaplan_meier" else BoostedDDRSA(2, HORIZON)
        records: list[EpochRecord] = []

        def on_epoch(record: EpochRecord) -> bool:
            records.append(record)
            return record.epoch == stop_after

        run = TrainingDirectory(directory)
        progress = train_baseline(model, options, windows, windows, training_options(), run, {}, on_epoch)
        saved: DDRSAModel = BoostedDDRSA(2, HORIZON) if name == "boosting" else KaplanMeierDDRSA(HORIZON)
        saved.load_state_dict(load_checkpoint(run.checkpoint_best)["model"])
        batch = next(windows.batches(9)).windows
        assert torch.equal(saved(batch), model(batch))
        assert mean_nll(model, windows) == pytest.approx(progress.best_validation_loss, abs=1e-5)
        return model, records

    whole, all_records = fit(tmp_path / "whole", 4)
    fit(tmp_path / "parts", 2)
    parts, records = fit(tmp_path / "parts", 4)
    assert [record.epoch for record in records] == [3, 4]
    assert [r.validation_nll for r in records] == [r.validation_nll for r in all_records[2:]]
    for key, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[key])
    assert len((tmp_path / "parts" / "training_log.csv").read_text().splitlines()) == 5


def test_boosting_learns_what_the_sensor_shows(fleet: Sequences, tmp_path: Path) -> None:
    windows = Windows(fleet, 6, ages=True)
    age_alone, trees = KaplanMeierDDRSA(HORIZON), BoostedDDRSA(2, HORIZON)
    for model, options in ((age_alone, KaplanMeierOptions("kaplan_meier")), (trees, BOOSTING)):
        directory = tmp_path / options.name
        directory.mkdir()
        train_baseline(
            model, options, windows, windows, training_options(10), TrainingDirectory(directory), {}, lambda _: False
        )
    assert mean_nll(trees, windows) < mean_nll(age_alone, windows) - 0.3


@pytest.mark.parametrize(
    ("name", "change"),
    [("left", -3), ("right", 1_000_000), ("feature", 99), ("feature", -1), ("value", float("nan"))],
)
def test_damaged_trees_are_refused(name: str, change: float, fleet: Sequences, tmp_path: Path) -> None:
    model = BoostedDDRSA(2, HORIZON)
    windows = Windows(fleet, 6, ages=True)
    train_baseline(
        model, BOOSTING, windows, windows, training_options(1), TrainingDirectory(tmp_path), {}, lambda _: False
    )
    state = load_checkpoint(TrainingDirectory(tmp_path).checkpoint_best)["model"]
    state[name][0, 0] = change
    with pytest.raises(ValueError, match=r"leads out|none of the 10|not finite"):
        BoostedDDRSA(2, HORIZON).load_state_dict(state)
    state[name] = state[name][:, :1]
    with pytest.raises(ValueError, match="shapes"):
        BoostedDDRSA(2, HORIZON).load_state_dict(state)
