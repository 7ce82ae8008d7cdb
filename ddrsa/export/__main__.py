"""A trained run as one file for other programs: python -m ddrsa.export RUN_DIR FILE.onnx"""

from __future__ import annotations

import sys

from ddrsa.extras import run_module

if __name__ == "__main__":
    sys.exit(run_module("ddrsa.export.__main__", "export"))  # before the imports that need the extra

import io
from collections.abc import Sequence
from pathlib import Path

import torch

from ddrsa.cli import USAGE_EXIT_CODE, in_one_line
from ddrsa.errors import ConfigError
from ddrsa.export.onnx_file import metadata, onnx_bytes
from ddrsa.export.pipeline import AGE, Pipeline, example, inputs_of
from ddrsa.rundir.files import atomic_write
from ddrsa.started import subcommand
from ddrsa.texts import say
from ddrsa.trained import TrainedRun, load_trained

USAGE = """\
usage: {command} RUN_DIR_OR_CHECKPOINT FILE.onnx | FILE.pt2

Writes scaling, model and calibration as one graph: features (batch, lookback, features) and mask (batch, lookback) in,
of kaplan_meier and boosting also age (batch); hazards, survival and rul out; any batch size. .onnx is for onnxruntime,
.pt2 is torch.export's own format."""


@in_one_line
def main(arguments: Sequence[str]) -> int:
    """Write the file; return the exit code, 2 for what the user can mend."""
    if not arguments or {"-h", "--help"} & set(arguments):
        say(USAGE.format(command=subcommand("export")))
        return 0 if arguments else USAGE_EXIT_CODE
    if len(arguments) != 2:
        raise ConfigError(f"{len(arguments)} arguments: a run directory and FILE.onnx or FILE.pt2 are expected")
    run_path, path = arguments[0], Path(arguments[1])
    if path.suffix not in (".onnx", ".pt2"):
        raise ConfigError(f"{path}: a file that ends in .onnx or .pt2 is expected")
    run = load_trained(run_path)
    content = onnx_bytes(run) if path.suffix == ".onnx" else exported_program(run)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, "wb") as stream:
            stream.write(content)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}") from error
    said = metadata(run)
    say(f"{path}: {len(content) / 1e6:.2f} MB, lookback {said['lookback']}, horizon {said['horizon']}")
    say(f"features, in this order: {', '.join(run.scaler.feature_names)}")
    if AGE in inputs_of(run):
        say(f"{AGE}: the number of the last row within its unit, from 1, which this model reads")
    return 0


def exported_program(run: TrainedRun) -> bytes:
    """The run's `Pipeline` as torch.export.save writes it, for any batch size."""
    pipeline = Pipeline(run).eval().cpu()
    shapes = {name: {0: torch.export.Dim("batch")} for name in inputs_of(run)}
    with torch.no_grad():
        program = torch.export.export(pipeline, example(run, run.scaler, 3), dynamic_shapes=shapes)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return buffer.getvalue()
