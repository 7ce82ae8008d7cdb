"""In the manner of a template for Lightning with Hydra: groups, `_target_`, callbacks, hparams_search, metric_dict."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

sys.path.append(str(Path(__file__).parents[1]))  # as the templates do, so that `src` is a package

log = logging.getLogger(__name__)


class Checkpoint:
    """A callback that keeps the last epoch, and finds it again."""

    def __init__(self, dirpath: str) -> None:
        self.file = Path(dirpath) / "last.json"

    def load(self) -> dict[str, Any] | None:
        return json.loads(self.file.read_text()) if self.file.exists() else None

    def save(self, epoch: int, weight: float) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps({"epoch": epoch, "weight": weight}))


@hydra.main(version_base="1.3", config_path="../configs", config_name="train.yaml")
def main(cfg: DictConfig) -> float | None:
    model = hydra.utils.instantiate(cfg.model)
    checkpoint = hydra.utils.instantiate(cfg.callbacks.model_checkpoint)
    last = checkpoint.load()
    first = 1
    if last is not None:
        first, model.weight = last["epoch"] + 1, last["weight"]
        log.info("goes on after epoch %d", last["epoch"])
    for epoch in range(first, cfg.trainer.max_epochs + 1):
        time.sleep(cfg.trainer.pause)
        model.fit_one_epoch()
        with Path(cfg.paths.output_dir, "steps.txt").open("a") as stream:
            print(epoch, file=stream)
        checkpoint.save(epoch, model.weight)
    metric_dict = {"val/acc_best": model.accuracy()}
    Path(cfg.paths.output_dir, "metrics.json").write_text(json.dumps(metric_dict))
    return metric_dict[cfg.optimized_metric] if cfg.get("optimized_metric") else None


if __name__ == "__main__":
    main()
