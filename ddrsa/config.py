"""Checks on the values of the config, and the identity of a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from ddrsa.checks import did_you_mean, require
from ddrsa.data.evaluation_step import least_horizon, measured_steps
from ddrsa.data.options import DatasetOptions, TableOptions, check_dataset_options
from ddrsa.devices import check_device_is_here, check_devices
from ddrsa.errors import ConfigError
from ddrsa.extras import missing_extra
from ddrsa.models.options import KERNELS, OPTIONS, BaselineOptions, ModelOptions
from ddrsa.plain_values import PlainValues, takes_plain_values
from ddrsa.rundir.identity import identity_of
from ddrsa.schema import NOT_IDENTITY, Schema
from ddrsa.scripts import options as scripts
from ddrsa.scripts.check import check_job
from ddrsa.scripts.command import identity as script_identity
from ddrsa.survival.policy_options import PolicyOptions, policy_options
from ddrsa.training.options import OPTION_NAMES, TrainingOptions

_KEYS = frozenset(field.name for field in fields(Schema)) | {"hydra"}

# The share of the units that train nothing where a guarantee is wanted and `dataset.policy_fraction` is null.
POLICY_FRACTION = 0.3

# Keys that mean nothing to a script, and what they are where nobody has set them: no value at all, or this.
_OF_MODELS = {
    **dict.fromkeys(
        ("batch_size", "learning_rate", "lambda_param", "nasa_weight", "dropout", "num_epochs", "patience")
    ),
    **dict.fromkeys(("weight_decay", "grad_clip", "schedule", "warmup_epochs", "lookback", "horizon", "num_folds")),
    **dict.fromkeys(("loss", "ranking_weight", "calibration", "evaluation_horizon")),
    **dict.fromkeys(("seed", "fold"), 0),
}


def register() -> None:
    """Make the schema known to Hydra, as `schema` in the defaults list, and that of `scripts`."""
    ConfigStore.instance().store(name="schema", node=Schema, provider="ddrsa")
    scripts.register()


@dataclass(frozen=True)
class RunConfig:
    """A run's config, checked."""

    dataset: DatasetOptions
    model: ModelOptions
    training: TrainingOptions
    policy: PolicyOptions
    dropout: float
    lookback: int
    horizon: int
    num_folds: int | None
    fold: int
    device: str
    data_dir: str
    cache_dir: str

    @property
    def evaluation_horizon(self) -> int:
        """The steps up to which forecasts are measured, each of `measured_steps`."""
        return self.training.evaluation_horizon or self.horizon

    @property
    def measured_steps(self) -> int | None:
        """How many steps make one of those in which forecasts are measured; None where these are its own."""
        return measured_steps(self.dataset)


def parse_config(config: DictConfig | PlainValues) -> RunConfig:
    """The checked config. Raises ConfigError naming the key, its value and what is allowed. Leases no GPU."""
    values = _values(config, leave_out={"hydra", "gpu_index"})
    _require(values, "dropout", 0 <= values["dropout"] < 1, "0 to below 1")
    _require(values, "lookback", values["lookback"] >= 1, "1 or more")
    _require(values, "horizon", values["horizon"] >= 1, "1 or more")
    dataset = _with_policy_units(_checked(values, "dataset", check_dataset_options), _policy(values))
    _check_measure(dataset, values["horizon"], values["evaluation_horizon"])
    _check_devices(values)
    _require(values, "kernel", values["kernel"] in KERNELS, " or ".join(KERNELS))
    _check_fold(values)
    model = _checked(values, "model", _model_options)
    training = TrainingOptions(**{name: values[name] for name in OPTION_NAMES})
    if isinstance(model, BaselineOptions):
        # They fit the likelihood, whatever the weights of the networks' loss, and so need no correction of theirs.
        training = replace(training, loss="likelihood", nasa_weight=0.0, ranking_weight=0.0)
    return RunConfig(
        dataset=dataset,
        model=model,
        training=training,
        policy=_policy(values),
        dropout=values["dropout"],
        lookback=values["lookback"],
        horizon=values["horizon"],
        num_folds=values["num_folds"],
        fold=values["fold"],
        device=values["device"],
        data_dir=values["data_dir"],
        cache_dir=values["cache_dir"],
    )


def located(checked: RunConfig, working_dir: str) -> RunConfig:
    """The config with its paths in `working_dir`, where the command was given: a job of Hydra may work elsewhere."""

    if Path(working_dir) == Path.cwd():
        return checked

    def there(path: str) -> str:
        return os.path.join(working_dir, path)  # noqa: PTH118 - an absolute path stays as it is

    dataset = checked.dataset
    if isinstance(dataset, TableOptions):
        dataset = replace(dataset, path=there(dataset.path))
    return replace(checked, dataset=dataset, data_dir=there(checked.data_dir), cache_dir=there(checked.cache_dir))


@takes_plain_values
def check_config(config: DictConfig | PlainValues) -> None:
    """Raise ConfigError where a key or a value is not allowed: the check of `hydra.sweeper.check`."""
    _check_keys(config)
    options = scripts.scripts_options(config)
    if options is None:
        if not _has_torch():
            raise ConfigError(missing_extra("a model", ModuleNotFoundError(name="torch")))
        if config["gpus_per_run"] != 1:
            raise ConfigError(
                f"gpus_per_run={config['gpus_per_run']}: a model trains on one GPU; several are for scripts"
            )
        parse_config(config)
        if isinstance(config, DictConfig):
            check_device_is_here(config)
        elif config["device"] not in ("auto", "cpu") and not config["dry_run"]:
            raise TypeError("where the run is done stands in the config of Hydra")
        return
    assert isinstance(config, DictConfig)  # scripts are not read from plain values
    _check_devices(_values(OmegaConf.masked_copy(config, ["device", "runs_per_gpu", "gpus"]), leave_out=set()))
    _require({"gpus_per_run": config.gpus_per_run}, "gpus_per_run", config.gpus_per_run >= 1, "1 or more")
    if config.gpus_per_run > 1 and not isinstance(config.gpus, str) and config.gpus_per_run > len(config.gpus):
        raise ConfigError(f"gpus_per_run={config.gpus_per_run}: gpus has {len(config.gpus)}")
    for key, unset in _OF_MODELS.items():
        if not OmegaConf.is_missing(config, key) and config[key] != unset:
            raise ConfigError(f"{key}={config[key]}: scripts get their arguments by scripts.args.{key} and the like")
    policy = _values(OmegaConf.masked_copy(config, ["policy"]), leave_out=set()).get("policy")
    if policy_options(policy) != PolicyOptions():
        raise ConfigError("policy: experiment=scripts runs scripts, which have no policy")
    if set(config.model) != {"name"} or set(config.dataset) != {"name"}:
        raise ConfigError("model=, dataset=: experiment=scripts runs scripts, which have neither")
    check_job(options)
    check_device_is_here(config)


def identity(config: DictConfig | PlainValues) -> dict[str, Any]:
    """The checked config without what does not change the result: `hydra`, the device, paths.

    Of a run of a script it is the script and its arguments alone.
    """
    options = scripts.scripts_options(config)
    if options is not None:
        return {"scripts": script_identity(options)}
    values: dict[str, Any] = _values(config, leave_out=NOT_IDENTITY | {"scripts"})
    checks: tuple[tuple[str, Callable[[dict[str, Any]], Any]], ...] = (
        ("dataset", check_dataset_options),
        ("model", _model_options),
        ("policy", policy_options),
    )
    for key, checked in checks:
        try:
            # As they are used: 1 and 1.0 of a key that is checked to be a number are one value.
            values[key] = _as_used(values, key, checked)
        except ConfigError:
            continue  # there is no such run; the check tells of it
    return values


def comparison(config: DictConfig) -> dict[str, Any] | None:
    """What runs must have in common to be compared, by the keys of the config; None for runs of scripts.

    Their files are not looked at: `data.load.data_hash` does that.
    """
    if scripts.scripts_options(config) is not None:
        return None
    values = _values(OmegaConf.masked_copy(config, ["dataset", "horizon", "evaluation_horizon"]), leave_out=set())
    options = check_dataset_options(_group(values, "dataset"))
    keys = {f"dataset.{key}": value for key, value in options.comparison_options().items()}
    if isinstance(options, TableOptions):
        # By the key that brings runs of several steps to one measure.
        keys["dataset.evaluation_step"] = options.evaluation_step or keys["dataset.step"]
        del keys["dataset.step"]
    place = {"dataset.path": options.path} if isinstance(options, TableOptions) else {}
    horizon = values["evaluation_horizon"] or values["horizon"]
    return {"evaluation_horizon": horizon, "dataset": options.name, **keys, **place}


@takes_plain_values
def run_id(config: DictConfig | PlainValues) -> str:
    """A hash of `identity`, the same in any sweep and any order of keys: see `ddrsa.rundir.identity`."""
    if isinstance(config, PlainValues):
        return str(config.own("run_id", lambda: identity_of(identity(config))))
    return identity_of(identity(config))


def _check_keys(config: DictConfig | PlainValues) -> None:
    """Raise ConfigError on a key of the top level that nobody reads: with a `+` Hydra takes any."""
    for key in map(str, config):
        if key not in _KEYS:
            raise ConfigError(f"{key}: there is no such key in the config{did_you_mean(key, _KEYS)}")


def _values(config: DictConfig | PlainValues, leave_out: set[str] | frozenset[str]) -> dict[str, Any]:
    if isinstance(config, PlainValues):
        return config.without(leave_out)
    # A copy, because a key that is left out must not be resolved: gpu_index would lease a GPU.
    kept = OmegaConf.masked_copy(config, [str(key) for key in config if key not in leave_out])
    try:
        return OmegaConf.to_container(kept, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except MissingMandatoryValue as error:
        raise ConfigError(f"{error.full_key} is not given, and has no default") from error
    except OmegaConfBaseException as error:
        reason = " ".join(str(error).split("full_key")[0].split())
        raise ConfigError(f"{error.full_key or 'the config'} has no usable value: {reason}") from error


def _checked(values: dict[str, Any], key: str, check: Callable[[Any], Any]) -> Any:
    """The options of a group of keys, checked once for all jobs that have it."""
    if isinstance(values, PlainValues):
        return values.once(check.__name__, key, check)
    return check(_group(values, key) if key != "policy" else values[key])


def _as_used(values: dict[str, Any], key: str, check: Callable[[Any], Any]) -> dict[str, Any]:
    if isinstance(values, PlainValues):
        return values.once("as used", key, lambda group: asdict(check(group)))
    return asdict(check(_group(values, key)))


@cache
def _has_torch() -> bool:
    return find_spec("torch") is not None


def _require(values: Mapping[str, Any], key: str, holds: bool, allowed: str) -> None:
    require(key, values[key], holds, allowed)


def _check_devices(values: Mapping[str, Any]) -> None:
    check_devices(values["device"], values["gpus"], values["runs_per_gpu"])


def _policy(values: dict[str, Any]) -> PolicyOptions:
    # Checkpoints of earlier versions have no policy.
    return _checked(values, "policy", policy_options) if "policy" in values else PolicyOptions()


def _check_measure(dataset: DatasetOptions, horizon: int, evaluation_horizon: int | None) -> None:
    """Raise ConfigError where forecasts do not reach as far as they are to be measured."""
    steps = measured_steps(dataset)
    if steps is None:
        if evaluation_horizon is not None and evaluation_horizon > horizon:
            raise ConfigError(
                f"evaluation_horizon={evaluation_horizon}: horizon={horizon} forecasts no further than its own steps; "
                "allowed is 1 to the smallest horizon that is compared"
            )
        return
    assert isinstance(dataset, TableOptions)
    key = f"dataset.evaluation_step={dataset.evaluation_step}"
    if evaluation_horizon is None:
        raise ConfigError(f"evaluation_horizon is null: {key} needs it, as the number of such steps")
    needed = least_horizon(steps, evaluation_horizon)
    if needed > horizon:
        raise ConfigError(
            f"horizon={horizon}: evaluation_horizon={evaluation_horizon} of {key} is {needed - 1} steps of "
            f"{dataset.step} after the row, so a horizon of at least {needed} is needed"
        )


def _with_policy_units(dataset: DatasetOptions, policy: PolicyOptions) -> DatasetOptions:
    """The data set with the units that a guarantee needs. Raises ConfigError where they are refused to it."""
    if policy.guarantee is None:
        return dataset
    if dataset.policy_fraction is None:
        return replace(dataset, policy_fraction=POLICY_FRACTION)
    wanted = "above 0, or null: policy.guarantee needs units that train nothing"
    require("dataset.policy_fraction", dataset.policy_fraction, dataset.policy_fraction > 0, wanted)
    return dataset


def _check_fold(values: Mapping[str, Any]) -> None:
    num_folds = values["num_folds"]
    if num_folds is None:
        _require(values, "fold", values["fold"] == 0, "0 where num_folds is null (no cross-validation)")
        return
    _require(values, "num_folds", num_folds >= 2, "2 or more, or null for the paper's split")
    holds = 0 <= values["fold"] < num_folds
    _require(values, "fold", holds, f"0 to {num_folds - 1}, since num_folds={num_folds}")


def _group(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    group = values[key]
    require(key, group, isinstance(group, dict), f"one of the files in conf/{key}/")
    return group


def _model_options(values: Mapping[str, Any]) -> ModelOptions:
    """The options of the model `values["name"]`; types as annotated, nothing missing, nothing else."""
    name = str(values.get("name"))
    require("model.name", name, name in OPTIONS, ", ".join(OPTIONS))
    options = OPTIONS[name]
    types = {field.name: str(field.type) for field in fields(options)}
    allowed = list(types)
    for key in values:
        if key not in allowed:
            raise ConfigError(f"model.{key}: model {name} has no such key, it has {', '.join(allowed)}")
    for key in allowed:
        if key not in values:
            raise ConfigError(f"model.{key} is missing: model {name} needs {', '.join(allowed)}")
        whole = type(values[key]) is int or not types[key].startswith("int")
        if types[key] == "int | None":
            require(f"model.{key}", values[key], whole or values[key] is None, "a whole number, or null")
        else:
            require(f"model.{key}", values[key], whole, "a whole number")
    return options(**values)
