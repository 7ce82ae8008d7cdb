"""In the manner of a reinforcement learning project: a workspace, submitit's options, chdir, no return value."""

from __future__ import annotations

import json
import time
from pathlib import Path

import hydra
from omegaconf import DictConfig


class Workspace:
    """What is trained, with its snapshot in the working directory, which is that of the run."""

    def __init__(self, cfg: DictConfig) -> None:
        self.cfg = cfg
        self.snapshot = Path.cwd() / "snapshot.json"
        self.frame = json.loads(self.snapshot.read_text()) if self.snapshot.exists() else 0

    def train(self) -> None:
        while self.frame < self.cfg.num_train_frames:
            time.sleep(self.cfg.pause)
            self.frame += 1
            with Path("steps.txt").open("a") as stream:
                print(self.frame, file=stream)
            self.snapshot.write_text(json.dumps(self.frame))
        Path("eval.json").write_text(json.dumps({"episode_reward": self.cfg.seed + 0.5}))


@hydra.main(version_base="1.1", config_path="cfgs", config_name="config")
def main(cfg: DictConfig) -> None:
    Workspace(cfg).train()


if __name__ == "__main__":
    main()
