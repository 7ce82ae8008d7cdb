"""Checkpoints: tensors and plain values only, so that loading one never executes code from the file.

Each carries a checksum over its content: torch does not notice a flipped bit.
"""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ddrsa.errors import DataError
from ddrsa.rundir.files import SCHEMA_VERSION, atomic_write

_CHECKSUM = "checksum"


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Replace `path` by `content` (state dicts and plain values) with its checksum, atomically."""
    whole = {"schema_version": SCHEMA_VERSION, **content}
    with atomic_write(path, "wb") as stream:
        torch.save({**whole, _CHECKSUM: _checksum(whole)}, stream)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The content of `path`, tensors on the CPU.

    Raises DataError where the file is damaged, of another version, or holds anything but tensors and plain values.
    """
    if path.exists() and not path.is_file():
        raise DataError(f"{path} cannot be read as a checkpoint: it is no regular file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's own message is a paragraph, which recommends to load the file all the same.
        raise DataError(f"{path} is damaged, or holds more than tensors and plain values: it is not read") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read as a checkpoint: {error}") from error
    except Exception as error:  # a file that is damaged makes torch raise whatever it likes
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise DataError(f"{path} is damaged, it cannot be read as a checkpoint: {reason}") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise DataError(f"{path} has schema_version {version!r}, this version reads {SCHEMA_VERSION}")
    checksum = content.pop(_CHECKSUM, None)
    if checksum is None:
        _check_archive(path)
    elif checksum != _checksum(content):
        raise DataError(f"{path} is damaged: its content is not what was written (the checksum differs)")
    return dict(content)


def _check_archive(path: Path) -> None:
    """Raise DataError where a checkpoint of an earlier version, which has no checksum of its own, is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    if damaged is not None:
        raise DataError(f"{path} is damaged: its content is not what was written (in {damaged})")


def _checksum(content: Mapping[Any, Any]) -> str:
    """SHA-256 of everything in `content`, in its order: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    pending: list[Any] = [content]
    while pending:
        value = pending.pop()
        if isinstance(value, torch.Tensor):
            plain = value.detach().cpu().contiguous()
            digest.update(f"tensor {plain.dtype} {tuple(plain.shape)};".encode())
            digest.update(plain.reshape(-1).view(torch.uint8).numpy().data)
        elif isinstance(value, Mapping):
            digest.update(f"mapping {len(value)};".encode())
            for key, item in reversed(list(value.items())):
                pending += [item, key]
        elif isinstance(value, list | tuple):
            digest.update(f"list {len(value)};".encode())
            pending += reversed(value)
        else:
            digest.update(f"{type(value).__name__} {value!r};".encode())
    return digest.hexdigest()


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
