"""Checkpoints: tensors and plain values only, so that loading one never executes code from the file."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from ddrsa.errors import DataError
from ddrsa.rundir.files import SCHEMA_VERSION, atomic_write


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Replace `path` by `content` (state dicts and plain values), atomically."""
    with atomic_write(path, "wb") as stream:
        torch.save({"schema_version": SCHEMA_VERSION, **content}, stream)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content of `path`, tensors on the CPU.

    Raises DataError where the file is damaged, of another version, or holds anything but tensors and plain values.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own message is a paragraph, which recommends to load the file all the same.
        raise DataError(f"{path} is damaged, or holds more than tensors and plain values: it is not read") from error
    except (RuntimeError, EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read as a checkpoint: {error}") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise DataError(f"{path} has schema_version {version!r}, this version reads {SCHEMA_VERSION}")
    return dict(content)


def random_state() -> dict[str, Any]:
    """The state of torch's random generators, on the CPU and on the GPUs that are in use."""
    in_use = torch.cuda.is_available() and torch.cuda.is_initialized()
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if in_use else None,
        "mps": torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Set what `random_state` gave."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
    if state.get("mps") is not None and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])
