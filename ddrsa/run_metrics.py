"""The metrics of one run: its model's forecasts of its own data set, measured as its config wants it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ddrsa.config import RunConfig
from ddrsa.data.inputs import TrainingInputs
from ddrsa.data.load import Dataset
from ddrsa.data.sequences import Sequences
from ddrsa.data.windows import Windows
from ddrsa.evaluation.evaluate import evaluate
from ddrsa.evaluation.forecasts import conformal_of, forecast_rows, independent_lives
from ddrsa.evaluation.official import evaluate_official
from ddrsa.models.base import DDRSAModel
from ddrsa.models.calibrated import CalibratedModel
from ddrsa.survival.calibration.correction import Calibration
from ddrsa.survival.conformal import Conformal
from ddrsa.survival.policies import Lives
from ddrsa.survival.promise import promise_sentence
from ddrsa.time_scale import recorded_step, scale_of
from ddrsa.training.calibrate import calibrate

log = logging.getLogger(__name__)
file_log = logging.getLogger("ddrsa.run.file")  # goes to run.log alone


@dataclass(frozen=True, eq=False)
class RunMetrics:
    """What is measured of a run.

    model: without calibration; it is measured as it is at the time, while it trains and afterwards.
    data_hash: of the data that it was trained on, by which runs are compared. shown: the run in messages.
    """

    checked: RunConfig
    dataset: Dataset
    data_hash: str
    model: DDRSAModel
    device: torch.device
    shown: str

    @cached_property
    def validation_windows(self) -> Windows:
        """The windows of the validation units, on the device."""
        return Windows(self.dataset.validation, self.checked.lookback, self.device, ages=self.model.reads_age)

    def while_training(self) -> dict[str, Any]:
        """The metrics on the validation units, with the calibration that the model would get as it is."""
        return self._on_validation(self._forecasts(self.dataset.validation), None)

    def of_trained(self, calibration: Calibration) -> dict[str, Any]:
        """The metrics on the test units, and on the validation units as `validation`, with the calibration in use."""
        checked, dataset = self.checked, self.dataset
        raw = self._forecasts(dataset.validation)
        validation = self._on_validation(raw, calibration)
        held_out, conformal = self._held_out(raw, calibration)
        metrics = evaluate(
            self._forecasts(dataset.test),
            dataset.test,
            dataset.training,
            checked.evaluation_horizon,
            tuned_on=validation,
            calibrate=lambda logits: (calibration(logits),) * 2,
            policy=checked.policy,
            held_out=held_out,
            conformal=conformal,
            by_subset=dataset.by_subset,
            steps=checked.measured_steps,
        )
        metrics["calibration"] |= calibration.to_dict()
        if checked.policy.guarantee is not None:
            _tell_promises(metrics["policies"], checked, dataset.inputs)
            log.info("%s: %s", self.shown, metrics["policies"]["oti"]["promise"]["sentence"])
        if dataset.official is not None:
            self._add_official(metrics, dataset.official, CalibratedModel(self.model, calibration))
        return metrics | {
            "comparison": {
                "horizon": checked.evaluation_horizon,
                "time_unit": checked.dataset.measured_unit,
                "data": self.data_hash,
            },
            "measure": {"steps": checked.measured_steps or 1},
            "time_step": recorded_step(dataset.inputs, checked.dataset, checked.measured_steps or 1),
            "validation": validation,
        }

    def _forecasts(self, units: Sequences) -> Tensor:
        return forecast_rows(self.model, units, self.checked.lookback, self.device)

    def _on_validation(self, raw: Tensor, in_use: Calibration | None) -> dict[str, Any]:
        """raw: of every row of the validation units. in_use: None for the calibration of the model as it is."""

        def calibrated(logits: Tensor) -> tuple[Tensor, Tensor]:
            found, out_of_fold = calibrate(self.checked.training, logits, self.validation_windows)
            return out_of_fold, (found if in_use is None else in_use)(logits)

        return evaluate(
            raw,
            self.dataset.validation,
            self.dataset.training,
            self.checked.evaluation_horizon,
            calibrate=calibrated,
            policy=self.checked.policy,
            by_subset=self.dataset.by_subset,
            steps=self.checked.measured_steps,
        )

    def _held_out(self, raw: Tensor, calibration: Calibration) -> tuple[Lives | None, Conformal | None]:
        """The lives that a promise rests on, where there are any, and the conformal intervals of what is held out."""
        units = self.dataset.policy
        if units is None:
            held_out = None
            known = independent_lives(calibration(raw), self.dataset.validation)
            conformal = conformal_of(known, "validation")
        else:
            held_out = independent_lives(calibration(self._forecasts(units)), units)
            conformal = conformal_of(held_out, "policy")
        if conformal is not None and conformal.caveat is not None:
            file_log.info("%s: %s", self.shown, conformal.caveat)
        return held_out, conformal

    def _add_official(self, metrics: dict[str, Any], units: Sequences, model: CalibratedModel) -> None:
        """Add the metrics on the official test set, of all of it and of each subset, to where they belong."""
        for name, part in {"": units, **self.dataset.by_subset(units)}.items():
            official = evaluate_official(model, part, self.checked.lookback, self.device)
            place = metrics["by_subset"][name] if name else metrics
            place["confidence_intervals"] |= official.pop("intervals")
            place |= official


def _tell_promises(policies: dict[str, Any], checked: RunConfig, inputs: TrainingInputs) -> None:
    """Tell what the promises of policies give up in the data's unit of time."""
    scale = scale_of(recorded_step(inputs, checked.dataset), checked.horizon)
    assert checked.policy.guarantee is not None
    for name, policy in policies.items():
        if "promise" in policy:
            policy["promise"]["sentence"] = promise_sentence(
                name, policy["promise"], checked.policy.guarantee, scale.text
            )
