"""The folder with the project's config files."""

from __future__ import annotations

from pathlib import Path

from ddrsa.errors import UsageError


def conf_dir() -> Path:
    """conf/ of the checkout, or `ddrsa.conf` of an installed package. Raises UsageError where there is neither."""
    package = Path(__file__).resolve().parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "config.yaml").is_file():
            return folder
    raise UsageError(f"there is no conf/ with a config.yaml in {package} nor in {package.parent}: install ddrsa again")
