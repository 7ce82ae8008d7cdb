"""The worked example of docs/your-own-data.md, run as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf
from programs import TRAINING, run_program

from ddrsa.data.options import check_dataset_options
from ddrsa.evaluation.evaluate import shortcomings
from ddrsa.rundir.training import find_trainings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "your-own-data.md").read_text()


def commands(text: str) -> list[list[str]]:
    """The commands of a block, each split as a shell splits it; `$(echo PATTERN)` becomes `<PATTERN>`."""
    lines = re.sub(r"\$\(echo (.*?)\)", r"<\1>", text.replace("\\\n", " ")).splitlines()
    return [shlex.split(line) for line in lines]


def expanded(word: str, folder: Path) -> str:
    """A word of a command, with the only path that its `<PATTERN>` names."""
    found = re.search("<(.*)>", word)
    if found is None:
        return word
    (path,) = folder.glob(found[1])
    return word.replace(found[0], str(path.relative_to(folder)))


def printed(command: list[str], folder: Path, environ: dict[str, str]) -> str:
    """What `python SCRIPT ...` or `python -m MODULE ...` prints; it must end well."""
    python, *rest = command
    assert python == "python"
    rest = [expanded(word, folder) for word in rest]
    if rest[0] == "-m":
        module = ROOT / rest[1].replace(".", "/")
        script = module / "__main__.py" if module.is_dir() else module.with_suffix(".py")
        rest = rest[1:]
    else:
        script = folder / rest[0]
    done = run_program(script, *rest[1:], imports=TRAINING, cwd=folder, env=environ)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def blocks() -> list[tuple[str, str]]:
    """The (language, text) of each code block of the page."""
    return re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_example_works(blocks: list[tuple[str, str]], tmp_path: Path) -> None:
    for name in ("train.py", "analyze.py"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DDRSA_CACHE_DIR": str(tmp_path / "cache"),
        "DDRSA_DATA_DIR": str(tmp_path),
    }
    assert [language for language, _ in blocks] == ["python", "bash", "bash", "yaml", "bash"]
    output = []
    for language, text in blocks:
        if language == "python":
            (tmp_path / "make_pumps.py").write_text(text)
        elif language == "yaml":
            (tmp_path / "my_conf" / "dataset").mkdir(parents=True)
            (tmp_path / "my_conf" / "dataset" / "pumps.yaml").write_text(text)
        else:
            output.append("".join(printed(command, tmp_path, environment) for command in commands(text)))
    report, training = output[1], output[2]
    assert "20 units" in report
    assert re.search(r"censored +4 ", report)
    for feature in ("temperature", "pressure", "maker=north", "maker=south"):
        assert re.search(rf"^  {feature} ", report, re.MULTILINE)
    assert {path.name for path in (tmp_path / "data_report" / "table_pumps").iterdir()} == {
        "lifetimes.png",
        "trends.png",
    }
    runs = find_trainings(tmp_path / "multirun" / "pumps_sweep")
    assert len(runs) == 2
    assert re.search(r"table/pumps: the best of 2 configurations is tcn\s+learning_rate=0.01", training)
    # The chosen one is of use.
    chosen = next(run for run in runs if "lr0.01_" in run.path.name)
    metrics = chosen.read_test_metrics()
    assert metrics is not None
    assert metrics["validation"]["concordance_index"] > 0.9
    assert shortcomings(metrics) == []
    assert re.search(r"intervene now: \d of 6 units", training)
    assert "units: forecast 12 hours before the failure" in training


def test_every_key_is_on_the_page() -> None:
    config = OmegaConf.load(ROOT / "conf" / "dataset" / "table.yaml")
    assert isinstance(config, DictConfig)
    config.update(path="a.csv", event_column="e")
    for key in vars(check_dataset_options(config)):
        assert f"`{key}`" in PAGE or f"dataset.{key}" in PAGE, key
