"""analyze.py --json, as a process."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from analysis_runs import MakeRun, metrics
from programs import ANALYSIS, run_program

ANALYZE = Path(__file__).parents[2] / "analyze.py"


def analyze(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_program(ANALYZE, *arguments, imports=ANALYSIS, cwd=cwd)


def test_the_answer_for_machines(tmp_path: Path, sweep_dir: Path, make_run: MakeRun) -> None:
    make_run("lstm", result=metrics(10, 12, 0.75, validation=metrics(11, 12, 0.7)))
    make_run("gru", result=metrics(12, float("nan"), 0.75, validation=metrics(13, 12, 0.7)))
    make_run("gru", state="failed", error="ValueError: no", seed=1)
    # Without hydra.sweep.dir a line says which is the newest sweep: not here.
    (tmp_path / "multirun").mkdir()
    (sweep_dir / "multirun.yaml").write_text("hydra: {sweeper: {}}")
    sweep_dir.rename(tmp_path / "multirun" / "sweep")
    result = analyze("--json", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    content = json.loads(result.stdout)
    assert (content["sweeps"], content["runs"]) == (["multirun/sweep"], 3)
    (answer,) = content["answers"]
    assert (answer["best"]["model"], answer["best"]["selected"]["mean"]) == ("lstm", 11)
    assert answer["states"] == {"completed": 2, "failed": 1}
    assert answer["words"][0].startswith("simulated: the best of 2 configurations is lstm")
    assert "multirun/sweep/report.html" in content["files"]
    assert all((tmp_path / file).is_file() for file in content["files"])


def test_json_cannot_be_watched(tmp_path: Path, make_run: MakeRun) -> None:
    make_run()
    result = analyze("json=true", "watch=true", "hydra.sweep.dir=sweep", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "error: json=true prints one answer and ends: it cannot go with watch=true\n"
