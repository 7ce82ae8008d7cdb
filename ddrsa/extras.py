"""The extras of the package: optional dependencies, and the error that names the one that is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from ddrsa.errors import UsageError

USAGE_EXIT_CODE = 2

_EXTRAS = {
    "analysis": ("jinja2", "matplotlib", "pandas", "scikit_posthocs", "scipy"),
    "excel": ("python_calamine",),
    "models": ("captum", "charset_normalizer", "numba", "pooch", "questionary", "requests", "torch", "tqdm"),
    "live": ("starlette", "uvicorn"),
    "export": ("onnx", "onnxruntime", "onnxscript"),
    "mlflow": ("mlflow",),
    "notify": ("apprise",),
    "parquet": ("pyarrow",),
    "ray": ("ray",),
    "slurm": ("submitit",),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
}


def missing_extra(what: str, error: ModuleNotFoundError, extra: str | None = None) -> str | None:
    """One line saying that `what` needs a package that an extra of ddrsa installs; None for any other module.

    extra: the one that has all that `what` needs; None: the smallest that has the missing module.
    """
    module = (error.name or "").partition(".")[0]
    for name, modules in _EXTRAS.items():
        if module in modules:
            return f"{what} needs {module}, which is not installed: pip install 'ddrsa[{extra or name}]'"
    return None


def needed(module: str, what: str) -> ModuleType:
    """`module`, of one of the extras, for `what`. Raises UsageError, as `missing_extra`, where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        absent = ModuleNotFoundError(str(error), name=module)
        raise UsageError(str(missing_extra(what, absent))) from error


def run_with_extra(what: str, extra: str | None, run: Callable[[], int | None]) -> int:
    """The exit code of `run`, which imports what it needs; 2 and `missing_extra` on stderr where that is missing."""
    try:
        return run() or 0
    except ModuleNotFoundError as error:
        message = missing_extra(what, error, extra)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        return USAGE_EXIT_CODE


def run_module(module: str, extra: str, *, arguments: bool = True) -> int:
    """`run_with_extra` of `main` of a module that was started by `python -m`, imported anew by its name.

    arguments: whether its `main` gets those of the command line.
    """

    def run() -> int | None:
        main = import_module(module).main
        result: int | None = main(sys.argv[1:]) if arguments else main()
        return result

    return run_with_extra(f"python -m {module.removesuffix('.__main__')}", extra, run)
