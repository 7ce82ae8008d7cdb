from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddrsa.data.azure.files import FILES, find_files, read_azure_pm
from ddrsa.data.azure.hours import Records
from ddrsa.data.azure.rows import make_sequences
from ddrsa.data.load import load_dataset
from ddrsa.data.sequences import Sequences
from ddrsa.errors import ConfigError, DataError

SIGNALS = ("volt", "rotate", "pressure", "vibration")
START = datetime(2015, 1, 1, 6)

Tables = dict[str, pd.DataFrame]


def _write(data_dir: Path, **tables: pd.DataFrame) -> Path:
    folder = data_dir / "azure_pm"
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.to_csv(folder / f"PdM_{name}.csv", index=False)
    return data_dir


def _telemetry(hours: range, machine: int = 1, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = {signal: rng.normal(100, 10, len(hours)) for signal in SIGNALS}
    return pd.DataFrame({"datetime": [START + timedelta(hours=h) for h in hours], "machineID": machine, **values})


def _events(column: str, *events: tuple[int, int, str]) -> pd.DataFrame:
    """Events of (hour after START, machine, kind)."""
    rows = [(START + timedelta(hours=hour), machine, kind) for hour, machine, kind in events]
    return pd.DataFrame(rows, columns=["datetime", "machineID", column])


@pytest.fixture
def tables() -> Tables:
    """Two machines over 100 hours. Machine 1 fails at hours 40 (two components) and 71, machine 2 never."""
    return {
        "telemetry": pd.concat([_telemetry(range(100)), _telemetry(range(100), 2, seed=1)]),
        "errors": _events("errorID", (16, 1, "error1"), (39, 1, "error2"), (40, 1, "error1"), (41, 1, "error1")),
        "maint": _events("comp", (-240, 1, "comp1"), (40, 1, "comp1"), (40, 1, "comp2"), (71, 1, "comp3")),
        "failures": _events("failure", (40, 1, "comp1"), (40, 1, "comp2"), (71, 1, "comp3"), (300, 1, "comp4")),
        "machines": pd.DataFrame({"machineID": [1, 2], "model": ["model3", "model1"], "age": [7, 0]}),
    }


def _read(tmp_path: Path, tables: Tables, step_hours: int = 15) -> Sequences:
    return read_azure_pm(find_files(_write(tmp_path, **tables)), step_hours)


def test_a_failure_ends_a_sequence_and_the_next_begins(tmp_path: Path, tables: Tables) -> None:
    sequences = _read(tmp_path, tables)
    assert sequences.unit_ids.tolist() == [1001, 1002, 1003, 2001]
    assert sequences.unit_groups.tolist() == [1, 1, 1, 2]
    assert sequences.unit_event_observed.tolist() == [True, True, False, False]
    # 41 hours: two steps and a short one. 31 hours: two and a short one. 28 hours without failure: one. 100 hours: six.
    assert sequences.lifetimes.tolist() == [3, 3, 1, 6]
    assert sequences.time_to_event.tolist() == [2, 1, 0, 2, 1, 0, 0, 5, 4, 3, 2, 1, 0]


def test_nothing_of_a_repair_is_seen_in_the_row_of_its_failure(tmp_path: Path, tables: Tables) -> None:
    sequences = _read(tmp_path, tables)
    table = pd.DataFrame(sequences.features, columns=sequences.feature_names)
    days = table["days_since_comp1"] * 24
    # Rows of machine 1 at the hours 14, 29, 40; 55, 70, 71; 86. comp1 was replaced at -240 and at 40.
    assert days[:7].tolist() == pytest.approx([254, 269, 280, 15, 30, 31, 46])
    assert (table["days_since_comp3"][:7] * 24).tolist() == pytest.approx([14, 29, 40, 55, 70, 71, 15])
    # Never replaced: since the first telemetry.
    assert (table["days_since_comp4"][7:] * 24).tolist() == pytest.approx([14, 29, 44, 59, 74, 89])


def test_errors_count_over_24_hours_and_not_across_a_failure(tmp_path: Path, tables: Tables) -> None:
    table = _read(tmp_path, tables)
    counts = pd.DataFrame(table.features, columns=table.feature_names)
    # error1 at 16, 40, 41; the row at 40 looks back to 17, the row at 55 to 41 since 40 is the failure.
    assert counts["error1_count_24h"][:7].tolist() == [0, 1, 1, 1, 0, 0, 0]
    assert counts["error2_count_24h"][:7].tolist() == [0, 0, 1, 0, 0, 0, 0]


def test_model_and_age(tmp_path: Path, tables: Tables) -> None:
    sequences = _read(tmp_path, tables)
    table = pd.DataFrame(sequences.features, columns=sequences.feature_names)
    assert table["age"].tolist() == [7] * 7 + [0] * 6
    assert table["model_model3"].tolist() == [1] * 7 + [0] * 6
    assert table["model_model1"].tolist() == [0] * 7 + [1] * 6
    assert not table[["model_model2", "model_model4"]].to_numpy().any()


def test_the_future_changes_no_earlier_row(tmp_path: Path, tables: Tables) -> None:
    """Whatever happens from hour 62 on, the rows up to hour 55 have the same features."""
    before = _read(tmp_path / "before", tables)
    later = tables["telemetry"]["datetime"] >= START + timedelta(hours=62)
    tables["telemetry"].loc[later, list(SIGNALS)] += 1000
    tables["failures"] = _events("failure", (40, 1, "comp1"), (62, 1, "comp4"), (80, 1, "comp1"))
    tables["maint"] = pd.concat([tables["maint"], _events("comp", (62, 1, "comp4"))])
    tables["errors"] = pd.concat([tables["errors"], _events("errorID", (62, 1, "error5"))])
    after = _read(tmp_path / "after", tables)
    np.testing.assert_array_equal(before.features[:4], after.features[:4])
    assert before.time_to_event[3] == 2
    assert after.time_to_event[3] == 1


# A brute force of the same rules, hour by hour and row by row in plain Python.
def _reference(records: Tables, step_hours: int) -> list[tuple[int, int, int, bool, list[float]]]:
    rows: list[tuple[int, int, int, bool, list[float]]] = []
    for machine in sorted(set(records["telemetry"]["machineID"])):
        own = {
            name: table[table["machineID"] == machine].to_dict("records")
            for name, table in records.items()
            if name != "machines"
        }
        values = {row["hour"]: [row[signal] for signal in SIGNALS] for row in own["telemetry"]}
        first, last = min(values), max(values)
        failures = sorted({row["hour"] for row in own["failures"] if first <= row["hour"] <= last})
        begin, number = first, 0
        for end in [*failures, None]:
            hours = range(begin, (last if end is None else end) + 1)
            begin = hours.stop
            if len(hours) < 3:
                continue
            number += 1
            filled: dict[int, list[float]] = {}
            known = [np.nan] * 4
            for hour in hours:
                known = [
                    old if np.isnan(new) else new
                    for old, new in zip(known, values.get(hour, [np.nan] * 4), strict=True)
                ]
                filled[hour] = known
            ticks = [h for h in hours if (h - hours.start + 1) % step_hours == 0]
            if end is not None and (not ticks or ticks[-1] != end):
                ticks.append(end)
            for index, t in enumerate(ticks):
                features: list[float] = []
                for width in (3, 24):
                    window = np.array([filled[h] for h in hours if t - width < h <= t])
                    columns = [column[~np.isnan(column)] for column in window.T]
                    if min(map(len, columns)) < 2:
                        break
                    features += [np.mean(column) for column in columns] + [np.std(column, ddof=1) for column in columns]
                else:
                    for kind in range(1, 6):
                        features.append(
                            sum(
                                row["kind"] == f"error{kind}" and row["hour"] in hours and t - 24 < row["hour"] <= t
                                for row in own["errors"]
                            )
                        )
                    for kind in range(1, 5):
                        replaced = [
                            row["hour"]
                            for row in own["replacements"]
                            if row["kind"] == f"comp{kind}" and row["hour"] < t
                        ]
                        features.append((t - max(replaced, default=first)) / 24)
                    model, age = records["machines"].loc[machine, ["model", "age"]]
                    features += [age] + [float(model == f"model{kind}") for kind in range(1, 5)]
                    rows.append((machine, number, len(ticks) - 1 - index, end is not None, features))
    return rows


@st.composite
def _records(draw: st.DrawFn) -> Tables:
    machines = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    telemetry, failures, errors, replacements = [], [], [], []
    for machine in machines:
        first, length = draw(st.integers(1000, 1010)), draw(st.integers(1, 90))
        hours = set(range(first, first + length)) - draw(st.sets(st.integers(first, first + length), max_size=24))
        for hour in sorted(hours):
            values = rng.normal(100, 10, 4)
            telemetry.append((machine, hour, *np.where(rng.random(4) < 0.02, np.nan, values)))
        around = st.integers(first - 30, first + length + 5)
        failures += [(machine, hour) for hour in draw(st.sets(around, max_size=5))]
        errors += [(machine, hour, f"error{k}") for hour, k in draw(st.sets(st.tuples(around, st.integers(1, 5))))]
        replacements += [(machine, hour, f"comp{k}") for hour, k in draw(st.sets(st.tuples(around, st.integers(1, 4))))]
    machines_table = pd.DataFrame(
        {"model": [f"model{1 + m % 4}" for m in machines], "age": [float(m) for m in machines]}, index=machines
    )
    frames = {
        "telemetry": pd.DataFrame(telemetry, columns=["machineID", "hour", *SIGNALS]),
        "errors": pd.DataFrame(errors, columns=["machineID", "hour", "kind"]),
        "replacements": pd.DataFrame(replacements, columns=["machineID", "hour", "kind"]),
        "failures": pd.DataFrame(failures, columns=["machineID", "hour"]),
    }
    frames["telemetry"] = frames["telemetry"].sort_values(["machineID", "hour"], ignore_index=True)
    for table in frames.values():
        for column in ("machineID", "hour"):
            table[column] = table[column].astype(np.int64)
    return {**frames, "machines": machines_table}


@settings(max_examples=40, deadline=None)
@given(_records(), st.integers(3, 30))
def test_the_features_are_those_of_a_brute_force(records: Tables, step_hours: int) -> None:
    expected = _reference(records, step_hours) if len(records["telemetry"]) else []
    arguments: tuple[Any, ...] = (
        SIGNALS,
        *(FILES[name].values for name in ("PdM_errors", "PdM_maint", "PdM_machines")),
        step_hours,
    )
    if not expected:
        if len(records["telemetry"]):
            with pytest.raises(DataError, match="there are no rows"):
                make_sequences(Records(**records), *arguments)
        return
    sequences = make_sequences(Records(**records), *arguments)
    assert sequences.unit.tolist() == [machine * 1000 + number for machine, number, *_ in expected]
    assert sequences.time_to_event.tolist() == [tau for _, _, tau, _, _ in expected]
    assert sequences.event_observed.tolist() == [observed for *_, observed, _ in expected]
    assert sequences.group is not None
    assert sequences.group.tolist() == [machine for machine, *_ in expected]
    np.testing.assert_allclose(sequences.features, [features for *_, features in expected], rtol=1e-4, atol=1e-4)


def test_missing_hours_take_the_last_values_and_that_is_said(
    tmp_path: Path, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    tables["telemetry"] = tables["telemetry"].drop(tables["telemetry"].index[5:29])
    with caplog.at_level(logging.WARNING):
        assert _read(tmp_path, tables).num_units == 4
    assert "telemetry is missing in 48 of 200 hours" in caplog.text  # the index is that of both machines


def test_a_gap_of_more_than_a_day_is_an_error(tmp_path: Path, tables: Tables) -> None:
    telemetry = tables["telemetry"].reset_index(drop=True)
    tables["telemetry"] = telemetry.drop(range(5, 30))
    with pytest.raises(DataError, match=r"machine 1 has no volt for 25 hours from 2015-01-01 11:00:00, at most 24"):
        _read(tmp_path, tables)
    telemetry.loc[150:, "rotate"] = np.nan
    tables["telemetry"] = telemetry
    with pytest.raises(DataError, match=r"machine 2 has no rotate for 50 hours from 2015-01-03 08:00:00"):
        _read(tmp_path / "other", tables)


def test_repeated_rows_and_failures_outside_the_telemetry_are_left_out_and_that_is_said(
    tmp_path: Path, tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    tables["telemetry"] = pd.concat([tables["telemetry"], tables["telemetry"].head(3)])
    with caplog.at_level(logging.INFO):
        assert _read(tmp_path, tables).lifetimes.tolist() == [3, 3, 1, 6]
    assert "PdM_telemetry.csv: 3 rows are there twice, and left out" in caplog.text
    assert "1 of 3 failures lie outside the telemetry" in caplog.text


def test_plain_and_gzipped_files_are_the_same(tmp_path: Path, tables: Tables) -> None:
    plain = _read(tmp_path, tables)
    path = tmp_path / "azure_pm" / "PdM_telemetry.csv"
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    np.testing.assert_array_equal(read_azure_pm(find_files(tmp_path), 15).features, plain.features)


@pytest.mark.parametrize("form", ["%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M", "%Y-%m-%dT%H:%M:%S"])
@pytest.mark.parametrize("name", ["telemetry", "errors", "maint", "failures"])
def test_times_as_a_spreadsheet_writes_them(tmp_path: Path, tables: Tables, name: str, form: str) -> None:
    plain = _read(tmp_path / "plain", tables)
    table = tables[name]
    rewritten = {**tables, name: table.assign(datetime=pd.to_datetime(table["datetime"]).dt.strftime(form))}
    again = _read(tmp_path / "rewritten", rewritten)
    np.testing.assert_array_equal(again.features, plain.features)
    np.testing.assert_array_equal(again.time_to_event, plain.time_to_event)


def _with(tables: Tables, name: str, **columns: Any) -> Tables:
    return {**tables, name: tables[name].assign(**columns)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: _with(t, "telemetry", volt="high"),
            "PdM_telemetry.csv: volt is 'high', a finite number is expected",
        ),
        (lambda t: _with(t, "telemetry", volt=np.inf), "volt is inf"),
        (lambda t: {**t, "telemetry": t["telemetry"].drop(columns="rotate")}, "has no column rotate, it has datetime,"),
        (lambda t: {**t, "telemetry": t["telemetry"].head(0)}, "PdM_telemetry.csv has no rows"),
        (lambda t: _with(t, "telemetry", machineID=1.5), "machineID is 1.5, a whole number is expected"),
        (lambda t: _with(t, "telemetry", machineID=9), "PdM_telemetry.csv: machine 9 is not in PdM_machines.csv"),
        (lambda t: _with(t, "failures", machineID=9), "PdM_failures.csv: machine 9 is not in PdM_machines.csv"),
        (lambda t: _with(t, "failures", failure="comp9"), "failure is 'comp9': allowed is comp1, comp2, comp3, comp4"),
        (lambda t: _with(t, "errors", errorID="error0"), "errorID is 'error0': allowed is error1"),
        (lambda t: _with(t, "machines", model=None), "model is nan: allowed is model1"),
        (lambda t: _with(t, "machines", age=[1, None]), "the age of machine 2 is missing"),
        (lambda t: _with(t, "machines", machineID=1), "machine 1 has two different rows"),
        (lambda t: _with(t, "errors", datetime="yesterday"), "datetime is 'yesterday', a time such as"),
        (lambda t: _with(t, "errors", datetime="2015-01-01 06:30:00"), "'2015-01-01 06:30:00', only full hours"),
        (
            lambda t: {**t, "telemetry": pd.concat([t["telemetry"], _telemetry(range(3, 4), 2, seed=5)])},
            "machine 2 has two different rows at 2015-01-01 09:00:00",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, tables: Tables, change: Callable[[Tables], Tables], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        _read(tmp_path, change(tables))


def test_an_empty_file_is_refused(tmp_path: Path, tables: Tables) -> None:
    _write(tmp_path, **tables)
    (tmp_path / "azure_pm" / "PdM_maint.csv").write_text("")
    with pytest.raises(DataError, match=r"PdM_maint.csv is empty, the columns machineID, comp, datetime are expected"):
        read_azure_pm(find_files(tmp_path), 15)


def test_missing_files_say_what_to_do(tmp_path: Path, tables: Tables) -> None:
    tables.pop("machines")
    _write(tmp_path, **tables)
    with pytest.raises(
        DataError, match=r"has no PdM_machines.csv \(nor .csv.gz\); python -m ddrsa.data.download azure"
    ):
        find_files(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step_hours": 2}, "dataset.step_hours=2: allowed is a whole number from 3 to 168"),
        ({"scaling": "condition"}, "dataset.scaling=condition: allowed is minmax, standard$"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_dataset({"name": "azure_pm", **options}, data_dir=tmp_path, cache_dir=None, seed=0)


@pytest.fixture(scope="module")
def azure_dir(nasa_dir: Path) -> Path:
    if not (nasa_dir / "azure_pm" / "PdM_telemetry.csv.gz").is_file():
        pytest.skip(f"{nasa_dir} has no azure_pm/PdM_telemetry.csv.gz")
    return nasa_dir


def test_microsofts_files(azure_dir: Path) -> None:
    sequences = read_azure_pm(find_files(azure_dir), 15)
    assert (sequences.num_units, sequences.unit_event_observed.sum(), sequences.num_rows) == (57, 37, 2881)
    assert sequences.features.shape[1] == 4 * 4 + 5 + 4 + 1 + 4
    table = pd.DataFrame(sequences.features, columns=sequences.feature_names)
    # The signals of a failure go up (rotate: down) over the day before it, and the failure's own row still shows it.
    for signal, sign in {"volt": 1, "rotate": -1, "pressure": 1, "vibration": 1}.items():
        mean = sign * table[f"{signal}_mean_24h"]
        failing = mean[(sequences.time_to_event == 0) & sequences.event_observed]
        assert failing.quantile(0.9) > mean[sequences.time_to_event > 4].quantile(0.99)


def test_splits_are_by_machine(azure_dir: Path, tmp_path: Path) -> None:
    for fold in range(4):
        dataset = load_dataset(
            {"name": "azure_pm"}, data_dir=azure_dir, cache_dir=tmp_path, seed=3, num_folds=4, fold=fold
        )
        parts = [set(part.unit_groups) for part in (dataset.training, dataset.validation, dataset.test)]
        assert set.union(*parts) == set(range(1, 21))
        assert sum(map(len, parts)) == 20
        assert len(parts[2]) == 5
