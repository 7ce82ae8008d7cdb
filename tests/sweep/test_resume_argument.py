"""`resume=DIR`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from supervised import Sweeps

from ddrsa.errors import UsageError
from ddrsa.sweep.resume import resumed_arguments


def write(directory: Path, hydra: list[str], task: list[str]) -> None:
    content = {"hydra": {"overrides": {"hydra": hydra, "task": task}}}
    (directory / "multirun.yaml").write_text(yaml.safe_dump(content))


def test_the_sweep_gives_its_overrides_and_others_come_on_top(tmp_path: Path) -> None:
    write(tmp_path, ["hydra.mode=MULTIRUN", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=old"], ["x=1,2", "+y=3"])
    assert resumed_arguments([f"resume={tmp_path}", "y=4,5", "retries=1"]) == [
        "-m",
        "hydra.launcher.n_jobs=2",
        "x=1,2",
        f"hydra.sweep.dir='{tmp_path}'",
        "y=4,5",
        "retries=1",
    ]


def test_it_finds_the_config_as_the_sweep_did(tmp_path: Path) -> None:
    write(tmp_path, [], ["x=1,2"])
    command = ["train.py", "-cd", "mine", "-cn", "other", "-m"]
    manifest = {"schema_version": 1, "command": command, "working_dir": "/there"}
    (tmp_path / "experiment_manifest.json").write_text(json.dumps(manifest))
    ours = f"hydra.sweep.dir='{tmp_path}'"
    found = ["--config-name=other", "--config-dir=/there/mine"]
    assert resumed_arguments([f"resume={tmp_path}"]) == [*found, "-m", "x=1,2", ours]
    given = ["--config-dir", "better"]
    assert resumed_arguments([f"resume={tmp_path}", *given]) == [found[0], "-m", "x=1,2", ours, *given]


RUNTIME = """
  job: {config_name: other}
  runtime:
    config_sources:
    - {path: hydra.conf, schema: pkg, provider: hydra}
    - {path: /app/conf, schema: file, provider: main}
    - {path: /there/mine, schema: file, provider: command-line}
    - {path: '', schema: structured, provider: schema}
"""


@pytest.mark.parametrize("manifest", [None, "{"])
def test_where_no_manifest_tells_hydra_does(
    tmp_path: Path, manifest: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hydra's own launchers leave none; the paths that are taken are shown."""
    write(tmp_path, [], ["x=1,2"])
    with (tmp_path / "multirun.yaml").open("a") as file:
        file.write(RUNTIME)
    if manifest is not None:
        (tmp_path / "experiment_manifest.json").write_text(manifest)
    given = ["-cd", "better"]
    found = ["--config-name=other", "--config-path=/app/conf", "--config-dir=/there/mine"]
    ours = ["-m", "x=1,2", f"hydra.sweep.dir='{tmp_path}'"]
    assert resumed_arguments([f"resume={tmp_path}"]) == [*found, *ours]
    shown = capsys.readouterr().err
    assert all(f"{option}, as {tmp_path}/multirun.yaml says\n" in shown for option in found)
    assert ("warning" in shown) == (manifest is not None)
    assert resumed_arguments([f"resume={tmp_path}", *given]) == [*found[:2], *ours, *given]
    assert "--config-dir" not in capsys.readouterr().err


def test_other_command_lines_stay() -> None:
    assert resumed_arguments(["-m", "x=1,2"]) == ["-m", "x=1,2"]


@pytest.mark.parametrize("content", [None, "", "hydra: {}", "a: [", "3"])
def test_not_a_sweep(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "multirun.yaml").write_text(content)
    with pytest.raises(UsageError, match=f"resume={tmp_path}"):
        resumed_arguments([f"resume={tmp_path}"])


def test_one_at_a_time() -> None:
    with pytest.raises(UsageError, match="one sweep"):
        resumed_arguments(["resume=a", "resume=b"])


def test_a_sweep_goes_on(sweeps: Sweeps) -> None:
    odd = "odd 'name', with=signs"
    quoted = "hydra.sweep.dir='odd \\'name\\', with=signs'"
    sweeps.do({2: "raise"})
    assert sweeps.run("x=1,2,3", quoted)[0] == 1
    sweeps.do({})
    process = sweeps.start(f"resume={odd}", multirun=False)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert [start["x"] for start in sweeps.starts()].count(2) == 2
    assert len(sweeps.starts()) == 4
    process = sweeps.start("resume=nowhere", multirun=False)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, len(output.splitlines())) == (2, 1)
    assert "resume=nowhere" in output
