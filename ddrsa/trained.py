"""Trained runs, read back from their checkpoints: the model, and the scaling of new rows for it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from ddrsa.config import RunConfig, parse_config
from ddrsa.data.inputs import TrainingInputs
from ddrsa.data.scaling import Scaler
from ddrsa.data.sequences import Sequences
from ddrsa.errors import DataError, UsageError
from ddrsa.models.build import build_model
from ddrsa.models.calibrated import CalibratedModel
from ddrsa.models.options import OPTIONS
from ddrsa.rundir.training import TrainingDirectory
from ddrsa.survival.calibration.correction import Calibration, exact_correction
from ddrsa.training.checkpoint import load_checkpoint

log = logging.getLogger(__name__)

# What keys meant that checkpoints of earlier versions do not have.
_BEFORE = {"loss": "ddrsa", "ranking_weight": 0.0, "calibration": "none", "evaluation_horizon": None}


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """checkpoint: the file. scaler: as fitted in training.

    model: on `device`, with the weights of the best epoch and the calibration of the checkpoint.
    inputs: what the features were in training; None where an earlier version, which did not record it, trained the run.
    """

    checkpoint: Path
    config: RunConfig
    model: CalibratedModel
    scaler: Scaler
    device: torch.device
    inputs: TrainingInputs | None = None

    @property
    def directory(self) -> TrainingDirectory:
        """The directory of the checkpoint; it need not hold anything else."""
        return TrainingDirectory(self.checkpoint.parent)

    def scaled(self, sequences: Sequences) -> Sequences:
        """`sequences`, as they were read, with the features that the model reads, scaled as in training.

        Raises DataError as `selected`.
        """
        return self.scaler.apply(self.selected(sequences))

    def selected(self, sequences: Sequences) -> Sequences:
        """`sequences`, as they were read, with the features that the scaler was fitted on, not scaled yet.

        Features that the model does not know are left out. A category `column=value` that none of the rows has is 0
        where they have other values of that column. Raises DataError where any other feature is missing.
        """
        wanted, present = self.scaler.feature_names, sequences.feature_names
        columns_with_categories = {name.partition("=")[0] for name in present if "=" in name}
        absent = [name for name in wanted if name not in present]
        missing = [name for name in absent if "=" not in name or name.partition("=")[0] not in columns_with_categories]
        if missing:
            raise DataError(
                f"the data have no feature {', '.join(missing)}, which the model of {self.checkpoint} reads; "
                f"they have {', '.join(present)}"
            )
        if wanted != present:
            values = np.zeros((sequences.num_rows, len(wanted)), sequences.features.dtype)
            for column, name in enumerate(wanted):
                if name in present:
                    values[:, column] = sequences.features[:, present.index(name)]
            sequences = sequences.with_features(values, wanted)
        return sequences

    def unseen_categories(self, sequences: Sequences) -> list[tuple[int, str]]:
        """The columns of the features of `sequences` that are a category which no training unit had, and a sentence."""
        known = {name.partition("=")[0] for name in self.scaler.feature_names if "=" in name}
        return [
            (column, f"{name} is a category that no unit had in training")
            for column, name in enumerate(sequences.feature_names)
            if name not in self.scaler.feature_names and "=" in name and name.partition("=")[0] in known
        ]


def load_trained(
    path: Path | str, *, device: torch.device | str = "cpu", data_dir: str = "data", cache_dir: str = ""
) -> TrainedRun:
    """The run of a checkpoint, or of a run directory (then its checkpoint_best.pt).

    data_dir, cache_dir: for the config; a checkpoint does not say where its data lie.

    No code of the file is ever executed. Raises DataError where it is missing, damaged, of another version, or not the
    checkpoint of a run.
    """
    path = Path(path)
    if path.is_dir():
        path = TrainingDirectory(path).checkpoint_best
    if not path.is_file():
        raise DataError(f"checkpoint {path} does not exist; a run directory or one of its .pt files is expected")
    content = load_checkpoint(path)
    config = _config(path, content, device, data_dir, cache_dir)
    try:
        scaler = Scaler.from_dict(content["scaler"])
        model = build_model(
            config.model,
            num_features=len(scaler.kept),
            lookback=config.lookback,
            horizon=config.horizon,
            dropout=config.dropout,
        )
        model.load_state_dict(content["model"])
        calibration = Calibration.from_dict(content.get("calibration", Calibration().to_dict()))
        inputs = TrainingInputs.from_dict(content["inputs"]) if "inputs" in content else None
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not the checkpoint of a run, or of another version: {error!r}") from error
    if list(scaler.kept_names) != content.get("feature_names"):
        raise DataError(f"{path} contradicts itself: its scaler keeps other features than its feature_names")
    if inputs is not None and inputs.feature_names != scaler.feature_names:
        raise DataError(f"{path} contradicts itself: its training inputs are of other features than its scaler")
    if "calibration" not in content:
        log.warning(
            "%s comes from an earlier version, which did not calibrate: it forecasts as calibration=none does, with "
            "odds of a failure inside the horizon that are %.3g times too high by theory; train it again to mend that",
            path,
            math.exp(-exact_correction(min(config.training.lambda_param, 0.999)).offset),
        )
    calibrated = CalibratedModel(model.to(device), calibration).eval()
    return TrainedRun(path, config, calibrated, scaler, torch.device(device), inputs)


def _config(
    path: Path, content: dict[str, Any], device: torch.device | str, data_dir: str, cache_dir: str
) -> RunConfig:
    """The checkpoint's config with what is no part of it, because it does not change which run it is."""
    place = {
        "device": torch.device(device).type,
        "gpus": "auto",
        "runs_per_gpu": 1,
        "kernel": "auto",
        "data_dir": data_dir,
        "cache_dir": cache_dir,
    }
    # A run's config is resolved when its checkpoint is written: what is not, somebody else has written.
    if any("${" in text for text in _texts(content.get("config"))):
        raise DataError(f"{path} has a config with interpolations (${{...}}), which no run writes: it is not read")
    try:
        config = {**_BEFORE, **content["config"], **place}
        config["model"] = _with_defaults(config["model"])
        return parse_config(OmegaConf.create(config))
    except (UsageError, KeyError, TypeError) as error:
        raise DataError(f"{path} has a config that this version cannot read: {error}") from error


def _with_defaults(model: Any) -> Any:
    """The options of a model with those that came later, whose defaults are what was done before."""
    if not isinstance(model, Mapping) or model.get("name") not in OPTIONS:
        return model
    later = {field.name: field.default for field in fields(OPTIONS[model["name"]]) if field.default is not MISSING}
    return {**later, **model}


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        for item in content.values():
            yield from _texts(item)
    elif isinstance(content, list | tuple):
        for item in content:
            yield from _texts(item)
