"""`resume=DIR`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml
from supervised import Sweeps

from ddrsa.errors import UsageError
from ddrsa.sweep.resume import resume, resumed_arguments


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
    # Configs may name what is executed, so whoever trusts a folder of them says so.
    with pytest.raises(UsageError, match=rf"give it again: resume={tmp_path} --config-dir=/there/mine$"):
        resumed_arguments([f"resume={tmp_path}"])
    given = ["--config-dir=/there/mine"]
    assert resumed_arguments([f"resume={tmp_path}", *given]) == ["--config-name=other", "-m", "x=1,2", ours, *given]


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
    with pytest.raises(UsageError, match=r"--config-path=/app/conf --config-dir=/there/mine$"):
        resumed_arguments([f"resume={tmp_path}"])
    shown = capsys.readouterr().err
    assert all(f"{option}, as {tmp_path}/multirun.yaml says\n" in shown for option in found)
    assert ("warning" in shown) == (manifest is not None)
    given += found[1:2]
    assert resumed_arguments([f"resume={tmp_path}", *given]) == [found[0], *ours, *given]
    assert "--config-dir" not in capsys.readouterr().err
    assert resumed_arguments([f"resume={tmp_path}"], trusted=True) == [*found, *ours]


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


EVIL = "{_target_: joblib.load, filename: x.pkl}"


@pytest.mark.parametrize(
    "override",
    [
        f"+hydra.callbacks.x={EVIL}",
        f"+hydra={{callbacks: {{x: {EVIL}}}}}",
        "hydra.sweeper.storage=/elsewhere/.bashrc",
        f"hydra.sweeper.storage={EVIL}",
        "hydra.sweeper.sampler._target_=joblib.load",
        "hydra.sweeper.check=evil.check",
        "hydra.launcher.preload=[evil]",
        "hydra.launcher.identity=os.system",
        "hydra.searchpath=[/somewhere/else]",
        "hydra.job.env_set.LD_PRELOAD=evil.so",
        "+hydra.job_logging.handlers.x.class=evil.Handler",
        "hydra.sweep.subdir=../../elsewhere",
        "hydra.sweep.subdir=/elsewhere",
        "hydra.sweeper.params={hydra.launcher.preload: '[evil]'}",
        "+hydra.sweeper.params.model._target_=evil.Model",
        "hydra/launcher=../../../elsewhere/evil",
        "~hydra.sweeper.check",
        "model=lstm,../../elsewhere/evil",
        "+model@hydra.callbacks=evil",
        "model._target_=a.B,a.C",
        "+model.layers=[{_target_: evil.Layer}]",
        "note='${oc.env:AWS_SECRET_ACCESS_KEY}'",
        "note='${${a}:SECRET}'",
        "note=choice('${oc.decode:x}',b)",
        "scripts.python=/somewhere/evil",
        "scripts={python: /somewhere/evil}",
        "--config-dir=/somewhere/else",
        "-cd=/somewhere/else",
        "--info",
    ],
)
def test_what_could_run_code_is_not_taken_from_a_directory(tmp_path: Path, override: str) -> None:
    write(tmp_path, [], ["seed=1,2", override])
    with pytest.raises(UsageError) as caught:
        resumed_arguments([f"resume={tmp_path}", "retries=1"], ["scripts.python"])
    assert override in str(caught.value)
    # Who trusts it types it.
    again = shlex.split(str(caught.value).partition("give it again: ")[2])
    assert again == [f"resume={tmp_path}", "retries=1", override]
    if not override.startswith("-"):
        assert resumed_arguments(again)[-1] == override


@pytest.mark.parametrize(
    "override",
    [
        "x=1,2",
        "+y='a b',c",
        "~z",
        "data_dir=/data/x",
        "only='seed > 1'",
        "lr=tag(log,interval(0.1,1))",
        "x=range(1,9)",
        "model=glob(*)",
        "note=${seed}",
        "hydra/launcher=slurm",
        "hydra/sweeper=optuna",
        "hydra.launcher.n_jobs=2",
        "hydra.sweep.subdir='${hydra:job.num}'",
        "hydra.sweeper.n_trials=30",
        "hydra.sweeper.sampler.seed=3",
        "+hydra.sweeper.params.lr='interval(0.1,1)'",
        "hydra.sweeper.enqueue=[{lr: 0.1}]",
        "scripts.args.lr=1,2",
    ],
)
def test_plain_values_are_taken_from_a_directory(tmp_path: Path, override: str) -> None:
    write(tmp_path, [], [override])
    assert resumed_arguments([f"resume={tmp_path}"], ["scripts.python"])[1] == override


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            "hydra: {overrides: {hydra: [], task: [!!python/object/apply:os.system [id]]}}",
            "could not determine",
        ),
        ("hydra: {overrides: {hydra: [1], task: []}}", r"hydra.overrides.hydra\[0\] is 1, a text is expected"),
        ("hydra: {overrides: {hydra: [], task: x=1}}", "hydra.overrides.task is 'x=1', a list is expected"),
        ("a: &a [*a]", "refers to itself too often"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_config_that_is_not_as_hydra_writes_it(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / "multirun.yaml").write_text(content)
    with pytest.raises(UsageError, match=why):
        resumed_arguments([f"resume={tmp_path}"])


def test_the_program_that_a_directory_names_is_not_run_unasked(tmp_path: Path) -> None:
    write(tmp_path, [], ["x=1,2"])
    manifest = {"schema_version": 1, "runs": [], "command": ["/tmp/evil.py", "-m"], "working_dir": str(tmp_path)}
    (tmp_path / "experiment_manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match=r"started by python /tmp/evil.py in .* resume --trust .* x=3$"):
        resume(str(tmp_path), ["x=3"])
