"""Storages, samplers, and trials that are taken up again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from omegaconf import OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.sweep.search.objective import metric_value, trial_values
from ddrsa.sweep.search.study import StudyAddress, find_study, is_grid, make_pruner, make_sampler, open_study
from ddrsa.sweep.search.summary import best_trials, shown_states
from ddrsa.sweep.search.trials import Trials
from ddrsa.sweep.verify.bench import until

NEVER = optuna.pruners.NopPruner()


def address(tmp_path: Path, storage: object = None) -> StudyAddress:
    return StudyAddress(storage, "study", tmp_path, tmp_path)


def study_there(place: StudyAddress) -> optuna.Study:
    study = find_study(place)
    assert study is not None
    return study


def study_in(tmp_path: Path, storage: object = None) -> optuna.Study:
    return open_study(address(tmp_path, storage), ["minimize"], optuna.samplers.RandomSampler(seed=0), NEVER)


@pytest.mark.parametrize("storage", [None, "other.log", "sqlite:///study.db"])
def test_a_study_is_found_again(tmp_path: Path, storage: Any) -> None:
    assert find_study(address(tmp_path, storage)) is None
    assert list(tmp_path.iterdir()) == []
    study_in(tmp_path, storage).add_trial(optuna.trial.create_trial(value=1.0))
    file = address(tmp_path, storage).file
    assert file is not None
    assert file.parent == tmp_path
    assert study_there(address(tmp_path, storage)).best_value == 1.0


def test_the_address_of_a_search_elsewhere() -> None:
    hydra = {
        "sweeper": {"study_name": None, "storage": None},
        "sweep": {"dir": "a/b"},
        "runtime": {"cwd": "/somewhere"},
    }
    config = OmegaConf.create(hydra)
    assert StudyAddress.of(config) == StudyAddress(None, "study", Path("/somewhere/a/b"), Path("/somewhere"))
    config.sweeper.storage = "postgresql://me:secret@host/db"
    found = StudyAddress.of(config)
    assert found.name == "/somewhere/a/b"
    assert found.file is None
    assert "secret" not in found.shown


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        ("sqlite://", "a database in memory is not seen by the processes of the runs"),
        ("nodialect://host/x", "cannot be opened"),
        ("no/such/folder/study.log", "cannot be opened"),
        (3, "allowed are a URL, a path"),
    ],
)
def test_a_storage_that_cannot_be_used(tmp_path: Path, storage: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        address(tmp_path, storage).open()


def test_other_directions(tmp_path: Path) -> None:
    study_in(tmp_path)
    with pytest.raises(ConfigError, match=r"the study study in .* has minimize"):
        open_study(address(tmp_path), ["maximize"], None, NEVER)


def test_what_a_killed_process_leaves_in_the_journal(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    study.add_trial(optuna.trial.create_trial(value=1.0))
    journal = tmp_path / "study.journal"
    with journal.open("a") as stream:
        stream.write('{"op_code":4,"worker')
    study.add_trial(optuna.trial.create_trial(value=2.0))
    assert [trial.value for trial in study_there(address(tmp_path)).get_trials()] == [1.0, 2.0]


def test_a_process_that_died_with_the_lock_stops_nobody(tmp_path: Path) -> None:
    study_in(tmp_path)
    code = (
        "import os, signal, sys; from pathlib import Path; from ddrsa.sweep.search.journal_lock import JournalLock\n"
        "JournalLock(Path(sys.argv[1])).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path / "study.journal"])
    assert killed.returncode == -9
    study_in(tmp_path).add_trial(optuna.trial.create_trial(value=1.0))


PLUGINS = Path(__file__).parents[3] / "hydra_plugins" / "ddrsa_sweep"


@pytest.mark.parametrize("file", sorted(PLUGINS.glob("*/hydra/sweeper/sampler/*.yaml")), ids=lambda file: file.stem)
def test_samplers(file: Path) -> None:
    if file.stem == "cmaes":
        pytest.importorskip("cmaes")
    options = yaml.safe_load(file.read_text())
    sampler = make_sampler({**options, "seed": 1}, 3, {"x": [1, 2]})
    assert type(sampler).__name__ == options["_target_"].rpartition(".")[2]
    assert is_grid(options) == (file.stem == "grid")


@pytest.mark.parametrize("file", sorted(PLUGINS.glob("*/hydra/sweeper/pruner/*.yaml")), ids=lambda file: file.stem)
def test_pruners(file: Path) -> None:
    config = OmegaConf.create({"pruner": OmegaConf.load(file)})
    if file.stem == "threshold":
        config.pruner.lower = 0.0
    pruner = make_pruner(config.pruner)
    assert type(pruner).__name__ == config.pruner._target_.rpartition(".")[2]


def test_a_pruner_around_another() -> None:
    inner = {"_target_": "optuna.pruners.MedianPruner"}
    pruner = make_pruner({"_target_": "optuna.pruners.PatientPruner", "wrapped_pruner": inner, "patience": 2})
    assert isinstance(pruner, optuna.pruners.PatientPruner)


def test_a_class_takes_the_place_of_the_default_with_its_keys() -> None:
    tpe = yaml.safe_load((PLUGINS / "optuna_names/hydra/sweeper/sampler/tpe.yaml").read_text())
    other = make_sampler({**tpe, "_target_": "optuna.samplers.BruteForceSampler", "seed": 1}, 0)
    assert isinstance(other, optuna.samplers.BruteForceSampler)
    median = yaml.safe_load((PLUGINS / "conf/hydra/sweeper/pruner/median.yaml").read_text())
    wilcoxon = make_pruner({**median, "_target_": "optuna.pruners.WilcoxonPruner", "p_threshold": 0.2})
    assert isinstance(wilcoxon, optuna.pruners.WilcoxonPruner)
    with pytest.raises(ConfigError, match=r"n_startup_trials: BruteForceSampler has no such option"):
        # Another value than the default's was meant for it.
        make_sampler({**tpe, "_target_": "optuna.samplers.BruteForceSampler", "n_startup_trials": 3}, 0)


@pytest.mark.parametrize(
    "options",
    [
        {"_target_": "optuna.samplers.CmaEsSampler"},
        {
            "_target_": "optuna.samplers.PartialFixedSampler",
            "base_sampler": {"_target_": "optuna.samplers.CmaEsSampler"},
        },
    ],
)
def test_a_package_that_optuna_would_miss_in_the_midst_of_the_search(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr("ddrsa.sweep.search.study.find_spec", lambda name: None if name == "cmaes" else name)
    with pytest.raises(ConfigError, match=r"CmaEsSampler needs cmaes: pip install cmaes$"):
        make_sampler(options, 0)


def test_null_is_an_option_where_optuna_has_no_default() -> None:
    options = {"_target_": "optuna.pruners.PatientPruner", "wrapped_pruner": None, "patience": 1, "min_delta": None}
    assert isinstance(make_pruner(options), optuna.pruners.PatientPruner)


def infeasible(trial: optuna.trial.FrozenTrial) -> tuple[float]:
    return (trial.params["x"] - 1.0,)


def test_functions_are_given_by_their_dotted_paths() -> None:
    target = "optuna.samplers.TPESampler"
    sampler = make_sampler({"_target_": target, "constraints_func": f"{__name__}.infeasible", "seed": 1}, 0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: -trial.suggest_float("x", 0, 2), n_trials=8)
    values = [trial.params["x"] for trial in study.trials]
    assert max(values) > 1
    assert best_trials(study)[0].params["x"] == max(value for value in values if value <= 1)
    with pytest.raises(ConfigError, match=r"hydra.sweeper.sampler.constraints_func=nowhere.f: it cannot be imported"):
        make_sampler({"_target_": target, "constraints_func": "nowhere.f"}, 0)


def test_processes_that_find_an_empty_database_wait_for_each_other(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from ddrsa.sweep.search.study import StudyAddress
place = Path({str(tmp_path)!r})
print("ready", flush=True); sys.stdin.readline()
for number in range(3):
    StudyAddress(f"sqlite:///study{{number}}.db", "study", place, place).open()
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, stderr=-1, text=True) for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [(process.communicate()[1], process.returncode) for process in processes]
    assert [code for _, code in ends] == [0, 0], ends


def test_a_study_of_two_directories_has_no_trial_too_many(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    of_both = {"storage": "sqlite:///study.db"}
    other = Trials(study_in(tmp_path, **of_both), 2, tmp_path / "b")
    # It asks when the first has seen that there is one left, and has not begun it.
    meanwhile = {1: other}

    def sampler(before: int) -> optuna.samplers.BaseSampler:
        if before in meanwhile:
            assert meanwhile.pop(before).ask() is not None
        return optuna.samplers.RandomSampler(seed=before)

    study = study_in(tmp_path, **of_both)
    trials = Trials(study, 2, tmp_path / "a", sampler)
    assert trials.ask() is not None
    assert trials.ask() is None
    assert (trials.left, other.left) == (0, 0)
    assert shown_states(study) == "1 dropped, 2 running"


def test_a_journal_in_redis_is_named_by_its_url(tmp_path: Path) -> None:
    pytest.importorskip("redis")
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("there is no redis-server")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    command = [server, "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: _answers(port), "the server did not start")
            study_in(tmp_path, f"redis://localhost:{port}").add_trial(optuna.trial.create_trial(value=1.0))
            assert study_there(address(tmp_path, f"redis://localhost:{port}")).best_value == 1.0
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("localhost", port)) == 0


def test_what_a_sampler_cannot_have() -> None:
    with pytest.raises(ConfigError, match=r"hydra.sweeper.sampler.sed: TPESampler has no such option, it has .*seed"):
        make_sampler({"_target_": "optuna.samplers.TPESampler", "sed": 1}, 0)
    with pytest.raises(ConfigError, match=r"_target_=optuna.samplers.Nothing"):
        make_sampler({"_target_": "optuna.samplers.Nothing"}, 0)


def test_a_key_of_an_older_optuna_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    make_sampler({"_target_": "optuna.samplers.RandomSampler", "consider_prior": True}, 0)
    assert "hydra.sweeper.sampler.consider_prior: Optuna" in caplog.text


def test_trials_of_a_living_process_are_left_alone_and_those_of_a_dead_one_are_not(tmp_path: Path) -> None:
    study_in(tmp_path)
    code = f"""
import sys; sys.path[:0] = {[str(Path(__file__).parent)]!r}
from pathlib import Path
from test_study import study_in, Trials
trials = Trials(study_in(Path({str(tmp_path)!r})), 3, Path({str(tmp_path)!r}))
trial = trials.ask(); trial.suggest_int("x", 0, 9)
print(trial.number, flush=True); sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "0\n"
        trials = Trials(study_in(tmp_path), 3, tmp_path)
        assert trials.recover() == 0
        assert trials.left == 2
        other.kill()
    params = trials.study.get_trials()[0].params
    assert trials.recover() == 1
    trial = trials.ask()
    assert trial is not None
    assert (trial.number, trial.params) == (0, params)
    trials.tell(trial, [1.0])
    second = trials.ask()
    assert second is not None
    trials.fail(second, "why")
    third = trials.ask()
    assert third is not None
    assert trials.ask() is None
    trials.close()
    states = [trial.state.name for trial in study_in(tmp_path).get_trials()]
    assert states == ["COMPLETE", "FAIL", "WAITING"]
    assert third.number == 2


METRICS = {"rul_mae": 1, "epochs_run": 9, "validation": {"rul_mae": 2.0, "nll": 3.0}, "oti": [1]}


def test_a_metric_is_that_of_the_preferred_group() -> None:
    assert metric_value(METRICS, "rul_mae") == 1
    assert metric_value(METRICS, "rul_mae", "validation") == 2.0
    assert metric_value(METRICS, "rul_mae", "elsewhere") == 1
    assert metric_value(METRICS, "validation.rul_mae") == 2.0
    assert metric_value(METRICS, "epochs_run", "validation") == 9
    with pytest.raises(ValueError, match="mae is no metric of the run; there are epochs_run, nll, rul_mae"):
        metric_value(METRICS, "mae", "validation")


@pytest.mark.parametrize(
    ("count", "returned", "message"),
    [
        (1, None, "the returned value is None: a number is expected"),
        (1, float("nan"), "the returned value is NaN"),
        (1, 10**400, "the returned value is 1000+: a number is expected"),
        (2, 1.0, "a list of 2 numbers is expected"),
        (2, [1.0, "x"], "a returned value is 'x'"),
    ],
)
def test_what_is_no_value(tmp_path: Path, count: int, returned: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trial_values(None, count, returned, tmp_path)
    with pytest.raises(ValueError, match=r"wrote no test_metrics.json"):
        trial_values("nll", 1, 1.0, tmp_path)


def test_a_metric_of_the_mapping_that_was_returned(tmp_path: Path) -> None:
    assert trial_values("rul_mae", 1, METRICS, tmp_path) == [1.0]
    assert trial_values(["a.b", "c"], 2, {"a": {"b": 2}, "c": 3}, tmp_path) == [2.0, 3.0]
    with pytest.raises(ValueError, match="acc is no metric of the run; there are loss"):
        trial_values("acc", 1, {"loss": 1.0}, tmp_path)


def test_optuna_is_not_imported_before_it_is_used() -> None:
    code = "import sys, ddrsa.task; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ)).returncode == 0
