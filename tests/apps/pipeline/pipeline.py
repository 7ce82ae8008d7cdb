"""An app with callbacks of Hydra's, a resolver of its own and chdir, and the two lines that give it `resume=`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from ddrsa.cli import run_cli
from ddrsa.sweep.resume import resumable

OmegaConf.register_new_resolver("double", lambda number: 2 * number, replace=True)


class Journal(Callback):
    """Writes what Hydra tells it."""

    def __init__(self, file: str) -> None:
        self.file = Path(file).absolute()

    def on_job_start(self, config: DictConfig, **_: Any) -> None:
        self._write(f"start {config.size}")

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        assert job_return.cfg is not None
        self._write(f"end {config.size}")

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:  # noqa: ARG002
        self._write("all")

    def _write(self, line: str) -> None:
        with self.file.open("a") as stream:
            print(line, file=stream)


@hydra.main(version_base="1.3", config_path="conf", config_name="pipeline")
def main(cfg: DictConfig) -> dict[str, float]:
    assert Path.cwd() == Path(HydraConfig.get().runtime.output_dir)
    done = json.loads(Path("state.json").read_text()) if Path("state.json").exists() else 0
    for step in range(done + 1, cfg.steps + 1):
        time.sleep(cfg.pause)
        with Path("steps.txt").open("a") as stream:
            print(step, file=stream)
        Path("state.json").write_text(json.dumps(step))
    return {"loss": float(cfg.twice)}


if __name__ == "__main__":
    run_cli(resumable(main))
