"""The pipeline as one ONNX graph, compared with torch before it is kept."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from ddrsa.errors import DataError
from ddrsa.export.pipeline import OUTPUTS, Pipeline, example, inputs_of
from ddrsa.extras import needed
from ddrsa.trained import TrainedRun

TOLERANCE = 1e-5
"""Between onnxruntime and torch: of probabilities, and of the RUL relative to the horizon."""

_CHECKED_BATCHES = (1, 2, 7)


def onnx_bytes(run: TrainedRun) -> bytes:
    """The graph of the run's `Pipeline` with the inputs of `inputs_of` and the outputs `OUTPUTS`, for any batch size B.

    Its metadata say what is put in and what comes out. Raises UsageError where a package of the extra `export` is
    missing, DataError where onnxruntime does not get what torch gets.
    """
    for module in ("onnx", "onnxscript", "onnxruntime"):
        needed(module, "the export to ONNX")
    pipeline = Pipeline(run).eval().cpu()
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            pipeline,
            example(run, run.scaler, 3),
            input_names=inputs_of(run),
            output_names=OUTPUTS,
            dynamic_shapes={name: {0: torch.export.Dim("batch")} for name in inputs_of(run)},
            custom_translation_table={torch.ops.aten.sort.stable: _stable_sort()},
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for key, value in metadata(run).items():
        model.metadata_props.add(key=key, value=value)
    content = bytes(model.SerializeToString())
    _compare(content, run, pipeline)
    return content


def metadata(run: TrainedRun) -> dict[str, str]:
    """What a user of the file has to know, as texts: features in their order (JSON), lookback, horizon, the step."""
    inputs = run.inputs
    found: dict[str, Any] = {
        "features": json.dumps(run.scaler.feature_names),
        "lookback": run.config.lookback,
        "horizon": run.config.horizon,
        "step": "" if inputs is None or inputs.step is None else f"{inputs.step:g}{' seconds' if inputs.dates else ''}",
        "run": run.directory.path.name,
    }
    return {key: str(value) for key, value in found.items()}


def _stable_sort() -> Any:
    """The translation of a stable sort, which the exporter does not know: TopK of all keeps equals in their order."""
    from onnxscript import opset18

    op: Any = opset18

    def sort(self: Any, stable: Any = None, dim: int = -1, descending: bool = False) -> Any:  # noqa: ARG001
        size = op.Gather(op.Shape(self), op.Constant(value_ints=[dim]))
        return op.TopK(self, size, axis=dim, largest=int(descending), sorted=1)

    return sort


def _compare(content: bytes, run: TrainedRun, pipeline: Pipeline) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for batch in _CHECKED_BATCHES:
        inputs = example(run, run.scaler, batch, seed=batch)
        with torch.no_grad():
            wanted = pipeline(*inputs)
        named = {name: value.numpy() for name, value in zip(inputs_of(run), inputs, strict=True)}
        found = session.run(OUTPUTS, named)
        for name, here, there in zip(OUTPUTS, wanted, found, strict=True):
            unit = run.config.horizon if name == "rul" else 1
            difference = float(np.abs(np.asarray(there) - here.numpy()).max()) / unit
            if not difference <= TOLERANCE:
                raise DataError(f"{run.checkpoint}: {name} by onnxruntime differ by {difference:.2g} from torch")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes on packages that are not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
