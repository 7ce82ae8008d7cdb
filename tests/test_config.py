from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import ddrsa.task  # noqa: F401  (registers resolvers, schema and plugins)
from ddrsa.compat_hydra import VERSION_BASE
from ddrsa.config import check_config, identity, located, parse_config, run_id
from ddrsa.data.table_options import TableOptions
from ddrsa.errors import ConfigError
from ddrsa.sweep.gpu.lease import current_lease

CONF = Path(__file__).parent.parent / "conf"


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(CONF), **VERSION_BASE):
        yield


def config(*overrides: str) -> DictConfig:
    return compose("config", overrides=list(overrides))


@pytest.mark.parametrize("model", [path.stem for path in sorted((CONF / "model").glob("*.yaml"))])
@pytest.mark.parametrize("dataset", [path.stem for path in sorted((CONF / "dataset").glob("*.yaml"))])
def test_every_model_and_data_set_composes(model: str, dataset: str) -> None:
    needed = ["dataset.path=units.csv", "dataset.event_column=failed"] if dataset == "table" else []
    checked = parse_config(config(f"model={model}", f"dataset={dataset}", *needed))
    assert (checked.model.name, checked.dataset.name) == (model, dataset)


def test_a_table_without_a_path_is_refused_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match=r"^dataset.path is not given, and has no default$"):
        parse_config(config("dataset=table", "dataset.event_column=failed"))


EXPERIMENT = """
# @package _global_
defaults: [{override /hydra/sweeper: optuna}, {override /hydra/launcher: basic}, {override /hydra/job_logging: none}]
hydra: {sweeper: {n_trials: 40}}
"""


def test_an_experiment_may_choose_the_launcher_the_sweeper_and_the_log(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "own.yaml").write_text(EXPERIMENT)
    there = f"hydra.searchpath=['file://{tmp_path}']"
    chosen = compose("config", overrides=[there, "experiment=own"], return_hydra_config=True).hydra
    groups = ("hydra/sweeper", "hydra/launcher", "hydra/job_logging")
    assert [chosen.runtime.choices[group] for group in groups] == ["optuna", "basic", "none"]
    assert chosen.sweeper.n_trials == 40
    by_hand = compose("config", overrides=[there, "experiment=own", "hydra/launcher=joblib"], return_hydra_config=True)
    assert by_hand.hydra.runtime.choices["hydra/launcher"] == "joblib"


@pytest.mark.parametrize("of_scripts", [False, True])
def test_a_key_that_nobody_knows_is_refused_with_the_nearest(of_scripts: bool, tmp_path: Path) -> None:
    (tmp_path / "train_x.py").touch()
    script = ("experiment=scripts", f"scripts.root='{tmp_path}'", "scripts.job=x") if of_scripts else ()
    wrong = r"^learning_rte: there is no such key in the config. Did you mean 'learning_rate'\?$"
    with pytest.raises(ConfigError, match=wrong):
        check_config(config(*script, "+learning_rte=0.1"))
    with pytest.raises(ConfigError, match=r"^remark: there is no such key in the config$"):
        check_config(config(*script, "+remark=1"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["dataset.noise=1"], ["dataset.noise=1.0"]),
        (["dataset.censored_fraction=0"], ["dataset.censored_fraction=0.0"]),
        (["learning_rate=1"], ["learning_rate=1.0"]),
        (["dataset=table", "dataset.feature_columns=x"], ["dataset=table", "dataset.feature_columns=[x]"]),
    ],
)
def test_equal_values_are_one_run(one: list[str], other: list[str]) -> None:
    table = ["dataset.path=a.csv", "dataset.all_units_fail=true"] if "dataset=table" in one else []
    assert run_id(config(*one, *table)) == run_id(config(*other, *table))


def test_what_cannot_be_used_has_an_identity_all_the_same() -> None:
    assert run_id(config("dataset.noise=a")) != run_id(config("dataset.noise=b"))


@pytest.mark.parametrize("preset", [path.stem for path in sorted((CONF / "hparams").glob("*.yaml"))])
def test_every_hparams_preset_composes(preset: str) -> None:
    parse_config(config(f"hparams={preset}"))


@pytest.mark.parametrize("preset", [path.stem for path in sorted((CONF / "experiment").glob("*.yaml"))])
def test_every_experiment_composes(preset: str, tmp_path: Path) -> None:
    (tmp_path / "train_x.py").touch()
    of_scripts = [f"scripts.root='{tmp_path}'", "scripts.job=x"] if preset == "scripts" else []
    check_config(config(f"experiment={preset}", *of_scripts))


def test_a_run_of_a_model_is_the_same_run_with_and_without_the_key_scripts() -> None:
    with_it = config("seed=3")
    without = OmegaConf.masked_copy(with_it, [str(key) for key in with_it if key != "scripts"])
    assert "scripts" in with_it
    assert run_id(with_it) == run_id(without)
    assert "scripts" not in identity(with_it)


@pytest.fixture
def script(tmp_path: Path) -> list[str]:
    (tmp_path / "train_x.py").write_text("import argparse\nargparse.ArgumentParser().add_argument('--epochs')")
    return ["experiment=scripts", f"scripts.root='{tmp_path}'", "scripts.job=x"]


def test_a_run_of_a_script_is_known_by_the_script_and_its_arguments(script: list[str]) -> None:
    before = run_id(config(*script))
    assert set(identity(config(*script))) == {"scripts"}
    for same in ("retries=3", "timeout=5", "device=cpu", "data_dir=x", "scripts.folds=3"):
        assert run_id(config(*script, same)) == before
    for other in ("scripts.epochs=3", "scripts.extra_args=[-v]", "+scripts.args.epochs=4"):
        assert run_id(config(*script, other)) != before


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("batch_size=3", "batch_size=3: scripts get their arguments by scripts.args.batch_size"),
        ("seed=1", "seed=1: scripts get"),
        ("num_folds=5", "num_folds=5: scripts get"),
        ("model=lstm", "experiment=scripts runs scripts, which have neither"),
        ("dataset=turbofan", "experiment=scripts runs scripts, which have neither"),
        ("hparams=default", "scripts get their arguments"),
        ("runs_per_gpu=0", "runs_per_gpu=0: allowed is 1 or more, or auto"),
        ("gpus=[]", "gpus=[]: allowed is auto or a list"),
        ("scripts.job=y", "scripts.job=y: there is no such job, there are x"),
        ("scripts.folds=3", "scripts.folds=3: no script has an option for it"),
    ],
)
def test_what_a_sweep_of_scripts_does_not_know_is_refused(script: list[str], override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        check_config(config(*script, override))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("batch_size=0", "batch_size=0: allowed is 1 or more"),
        ("lambda_param=1.5", "lambda_param=1.5: allowed is 0 to 1"),
        ("num_folds=5 fold=7", "fold=7: allowed is 0 to 4, since num_folds=5"),
        ("fold=1", "fold=1: allowed is 0 where num_folds is null"),
        ("num_folds=1", "num_folds=1: allowed is 2 or more"),
        ("learning_rate=0", "learning_rate=0.0: allowed is above 0"),
        ("learning_rate=nan", "learning_rate=nan: allowed is above 0"),
        ("weight_decay=inf", "weight_decay=inf: allowed is 0 or more, and finite"),
        ("learning_rate=inf", "learning_rate=inf: allowed is above 0, and finite"),
        ("nasa_weight=-1", "nasa_weight=-1.0: allowed is 0 or more"),
        ("dropout=1", "dropout=1.0: allowed is 0 to below 1"),
        ("lookback=0", "lookback=0: allowed is 1 or more"),
        ("horizon=0", "horizon=0: allowed is 1 or more"),
        ("schedule=linear", "schedule=linear: allowed is constant, cosine, plateau"),
        ("device=tpu", "device=tpu: allowed is auto, cpu, cuda"),
        ("runs_per_gpu=0", "runs_per_gpu=0: allowed is 1 or more, or auto"),
        ("runs_per_gpu=many", "runs_per_gpu=many: allowed is 1 or more, or auto"),
        ("gpus=[a]", "gpus=.*: allowed is auto or a list"),
        ("gpus=[]", "gpus=.*: allowed is auto or a list"),
        ("model.hidden_size=0", "model.hidden_size=0: allowed is 1 or more"),
        ("model.hidden_size=big", "model.hidden_size=big: allowed is a whole number"),
        ("model=transformer model.num_heads=5", "model.num_heads=5: allowed is a divisor of model.d_model=64"),
        ("model.name=cnn", "model.name=cnn: allowed is lstm, gru, transformer"),
        ("+model.width=3", "model.width: model lstm has no such key"),
        ("~model.num_layers", "model.num_layers is missing"),
        ("model=transformer model.steps_per_query=0", "model.steps_per_query=0: allowed is 1 or more"),
        ("model=tcn model.windows_per_segment=0", "model.windows_per_segment=0: allowed is 1 or more, or null"),
        (
            "model=tcn model.windows_per_segment=2.5",
            "model.windows_per_segment=2.5: allowed is a whole number, or null",
        ),
        ("model=tcn model.segment_stride=0", "model.segment_stride=0: allowed is 1 or more"),
        ("+model.windows_per_segment=8", "model.windows_per_segment: model lstm has no such key"),
        ("dataset=turbofan dataset.subset=FD005", "dataset.subset=FD005: allowed is FD001"),
        ("dataset.num_units=2", "dataset.num_units=2"),
        ("batch_size=???", "batch_size is not given, and has no default"),
        ("data_dir=${oc.env:DDRSA_SUCH_A_VARIABLE}", "data_dir has no usable value"),
    ],
)
def test_value_that_is_not_allowed(overrides: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(config(*overrides.split()))


def test_same_run_whatever_the_order_device_and_paths() -> None:
    name = run_id(config("seed=3", "batch_size=32"))
    assert name == run_id(config("batch_size=32", "seed=3"))
    assert name == run_id(config("seed=3", "batch_size=32", "device=cpu", "gpus=[0,1]", "runs_per_gpu=auto"))
    assert name == run_id(config("seed=3", "batch_size=32", "data_dir=/elsewhere", "cache_dir=/elsewhere"))
    assert name == run_id(config("seed=3", "batch_size=32", "learning_rate=3e-3"))


def test_how_a_sweep_is_done_is_no_part_of_a_run() -> None:
    others = ["only='seed > 1'", "exclude='seed > 1'", "zip=[seed]", "dry_run=true", "visualize=true"]
    assert run_id(config()) == run_id(config(*others, "retries=2", "timeout=3", "max_failures=4"))


@pytest.mark.parametrize("override", ["seed=4", "model=gru", "dataset.noise=2", "num_folds=5", "weight_decay=0"])
def test_another_run(override: str) -> None:
    assert run_id(config(override)) != run_id(config())


def test_checking_and_naming_lease_no_gpu() -> None:
    composed = config("gpus=[0,1]")
    parse_config(composed)
    run_id(composed)
    assert "gpu_index" not in identity(composed)
    assert current_lease() is None


def test_a_guarantee_sets_units_aside() -> None:
    guarantee = "policy.guarantee={miss_rate:0.05,confidence:0.95}"
    assert parse_config(config()).dataset.policy_fraction is None
    assert parse_config(config(guarantee)).dataset.policy_fraction == 0.3
    assert (
        parse_config(config("policy.guarantee.miss_rate=0.1", "dataset.policy_fraction=0.5")).dataset.policy_fraction
        == 0.5
    )
    with pytest.raises(ConfigError, match=r"dataset.policy_fraction=0\.0: allowed is above 0"):
        parse_config(config(guarantee, "dataset.policy_fraction=0"))


def test_scripts_have_no_policy(tmp_path: Path) -> None:
    (tmp_path / "train_x.py").touch()
    scripts = ["experiment=scripts", f"scripts.root='{tmp_path}'", "scripts.job=x"]
    with pytest.raises(ConfigError, match="policy: experiment=scripts"):
        check_config(config(*scripts, "policy.lead_time=3"))


def test_relative_paths_are_of_the_directory_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = parse_config(
        config("dataset=table", "dataset.path=units.csv", "dataset.all_units_fail=true", "data_dir=d")
    )
    assert located(checked, str(Path.cwd())) is checked
    before = Path.cwd()
    monkeypatch.chdir(tmp_path)  # as a job with hydra.job.chdir=true
    there = located(checked, str(before))
    assert isinstance(there.dataset, TableOptions)
    assert (there.dataset.path, there.data_dir) == (str(before / "units.csv"), str(before / "d"))
    assert located(there, "/elsewhere") == there
