"""The extras of the package: optional dependencies, and the error that names the one that is missing."""

from __future__ import annotations

_EXTRAS = {
    "analysis": ("jinja2", "matplotlib", "pandas", "scikit_posthocs", "scipy"),
    "models": ("pooch", "questionary", "requests", "torch", "tqdm"),
    "parquet": ("pyarrow",),
    "ray": ("ray",),
    "slurm": ("submitit",),
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
