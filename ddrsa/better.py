"""Better direction of a metric, as far as its name says it."""

from __future__ import annotations

import re

MINIMIZE, MAXIMIZE = "minimize", "maximize"

_HIGHER = ("accuracy", "auc", "auroc", "c_index", "concordance", "f1", "precision", "r2", "recall")
_HIGHER_WORDS = frozenset({"acc", "bleu", "dice", "iou", "map", "psnr", "reward", "ssim"})  # as a part between . / _


def name_says_higher(name: str) -> bool:
    """Whether a metric of this name is better the higher it is: accuracy, auc, f1, ...; another is taken as a loss."""
    lower = name.lower()
    return any(part in lower for part in _HIGHER) or not _HIGHER_WORDS.isdisjoint(re.split(r"[^a-z0-9]+", lower))
