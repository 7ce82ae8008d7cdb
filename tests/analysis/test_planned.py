"""Runs that a sweep plans and that have not begun: they are told of, though they have no directory."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from analysis_runs import MakeRun, result
from rich.console import Console

from ddrsa.analysis.analysis import analyze
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.terminal import print_states
from ddrsa.rundir.files import write_json


def plan(sweep_dir: Path, *models: str, earlier: tuple[str, ...] = ()) -> None:
    entries = [{"directory": f"logs/simulated/{name}", "overrides": [], "config": {}} for name in models]
    earlier_runs = [{"directory": f"logs/simulated/{name}"} for name in earlier]
    write_json(sweep_dir / "experiment_manifest.json", {"runs": entries, "earlier_runs": earlier_runs})


def seen(sweep_dir: Path) -> tuple[str, list[str]]:
    """The line with the states, and the first words of what to run next."""
    analysis = analyze({"": sweep_dir}, sweep_dir, Choice("rul_mae", "validation"))
    stream = io.StringIO()
    print_states(Console(file=stream, width=200), analysis.sweep)
    return stream.getvalue().strip(), [step.reason for answer in analysis.answers for step in answer.next_steps]


@pytest.mark.parametrize(
    ("planned", "earlier", "told", "step"),
    [
        (["lstm/run000", "gru/run001"], (), "2 runs: 2 completed", None),
        (
            ["lstm/run000", "gru/run001", "tcn/a"],
            (),
            "2 runs: 2 completed; 1 more is planned and not begun",
            "finish the 1 run that has not completed",
        ),
        (
            ["lstm/run000", "tcn/a"],
            ("gru/run001", "tcn/b", "lstm/run000"),
            "2 runs: 2 completed; 2 more are planned and not begun",
            "finish the 2 runs that have not completed",
        ),
    ],
)
def test_what_has_not_begun_is_told(
    sweep_dir: Path, make_run: MakeRun, planned: list[str], earlier: tuple[str, ...], told: str, step: str | None
) -> None:
    make_run("lstm", result=result(10))
    make_run("gru", result=result(20))
    plan(sweep_dir, *planned, earlier=earlier)
    states, steps = seen(sweep_dir)
    assert states.endswith(f"/sweep: {told}")
    assert [each for each in steps if each.startswith("finish")] == ([] if step is None else [step])


def test_the_other_steps_do_not_count_what_may_be_of_another_data_set(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run("lstm", result=result(10))
    make_run("gru", result=result(20), dataset={"name": "turbofan"})
    plan(sweep_dir, "lstm/run000", "gru/run001", "tcn/a")
    states, steps = seen(sweep_dir)
    assert states.endswith("/sweep: 2 runs: 2 completed; 1 more is planned and not begun")
    assert not [each for each in steps if each.startswith("finish")]


def test_a_manifest_that_cannot_be_read_plans_nothing(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run("lstm", result=result(10))
    (sweep_dir / "experiment_manifest.json").write_text("{")
    assert seen(sweep_dir)[0].endswith("/sweep: 1 run: 1 completed")
