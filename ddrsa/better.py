"""Better direction of a metric, as far as its name says it."""

from __future__ import annotations

import re

MINIMIZE, MAXIMIZE = "minimize", "maximize"

_HIGHER = ("accuracy", "auc", "auroc", "c_index", "concordance", "f1", "precision", "r2", "recall")
_HIGHER_WORDS = frozenset({"acc", "bleu", "dice", "iou", "map", "psnr", "reward", "ssim", "success"})
# As a part between . / _, but for those of another meaning: brier_score, nasa_score, fid_score.
_SCORES = frozenset({"score", "scores"})
_LOSSES = frozenset(
    {"brier", "cer", "crps", "energy", "error", "fid", "lpips", "loss", "mae", "mse", "nasa", "nll", "rmse", "wer"}
)


def name_says_higher(name: str) -> bool:
    """Whether a metric of this name is better the higher it is: accuracy, auc, f1, ...; another is taken as a loss."""
    lower = name.lower()
    words = set(re.split(r"[^a-z0-9]+", lower))
    is_score = bool(words & _SCORES) and not words & _LOSSES
    return is_score or bool(words & _HIGHER_WORDS) or any(part in lower for part in _HIGHER)
