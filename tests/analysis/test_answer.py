"""The answer: hand-made sweeps of which it is known."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path

import pytest
from analysis_runs import MakeRun, metrics, result

from ddrsa.analysis.answer import Answer
from ddrsa.analysis.collect import collect
from ddrsa.analysis.configurations import Configurations
from ddrsa.analysis.criterion import Choice, Criterion
from ddrsa.analysis.decide import answers
from ddrsa.analysis.sentences import sentences
from ddrsa.errors import ConfigError


def answer(sweep_dir: Path, **selection: str) -> Answer:
    sweep = collect(sweep_dir)
    (only,) = answers(sweep, Choice(**selection).for_runs(sweep))
    return only


def test_seeds_are_put_together(sweep_dir: Path, make_run: MakeRun) -> None:
    # One lucky seed of 32 does not make it the best: 10 and 14 against 11 and 11.5.
    for seed, (small, large) in enumerate([(10.0, 11.0), (14.0, 11.5)]):
        make_run(seed=seed, batch_size=32, result=result(small))
        make_run(seed=seed, batch_size=64, result=result(large, test_mae=7 + seed))
    found = answer(sweep_dir)
    assert found.best is not None
    assert found.runner_up is not None
    assert found.test is not None
    assert (found.best.values, found.best.selected.mean, found.best.selected.n) == ({"batch_size": 64}, 11.25, 2)
    assert found.best.selected.deviation == pytest.approx(math.sqrt(0.125))
    assert found.best.directories == ["logs/simulated/lstm/run001", "logs/simulated/lstm/run003"]
    assert found.best.repeats["seed"] == [0, 1]
    assert (found.runner_up.values, found.configurations) == ({"batch_size": 32}, 2)
    assert (found.test.mean, found.test.n) == (7.5, 2)


def test_selection_is_by_validation_unless_it_shall_not(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(batch_size=32, result=result(5.0, test_mae=9.0))
    make_run(batch_size=64, result=result(6.0, test_mae=8.0))
    by_validation, by_test = answer(sweep_dir), answer(sweep_dir, select_by="test")
    assert by_validation.best is not None
    assert by_test.best is not None
    assert (by_validation.best.values["batch_size"], by_test.best.values["batch_size"]) == (32, 64)
    assert "On the test units, which had no say, it has 9 cycles." in sentences(by_validation)
    assert any("chosen by the test units themselves" in sentence for sentence in sentences(by_test))


def test_higher_is_better_for_concordance(sweep_dir: Path, make_run: MakeRun) -> None:
    for seed in range(5):
        make_run(batch_size=32, seed=seed, result=metrics(1, 1, 0.9 + seed / 100))
        make_run(batch_size=64, seed=seed, result=metrics(2, 2, 0.8 + seed / 100))
    found = answer(sweep_dir, metric="concordance_index")
    assert found.best is not None
    assert found.margin is not None
    assert found.best.values == {"batch_size": 32}
    assert found.margin.mean == pytest.approx(0.1)
    assert found.verdict == "clear"


@pytest.mark.parametrize(
    ("best", "other", "verdict", "said"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 3.1, 3.9, 5.0, 6.0], "clear", "larger than the noise"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 9.0, 1.0, 5.0], "noise", "within the noise"),
        ([1.0], [2.0], "unknown", "cannot be told without repeats"),
    ],
)
def test_verdict(
    sweep_dir: Path, make_run: MakeRun, best: list[float], other: list[float], verdict: str, said: str
) -> None:
    for batch_size, values in ((32, best), (64, other)):
        for seed, value in enumerate(values):
            make_run(batch_size=batch_size, seed=seed, result=result(value))
    found = answer(sweep_dir)
    assert found.verdict == verdict
    assert any(said in sentence for sentence in sentences(found))
    assert [step.reason.startswith("repeat") for step in found.next_steps].count(True) == (verdict != "clear")


def test_few_pairs_lean_on_the_noise_of_all(sweep_dir: Path, make_run: MakeRun) -> None:
    # The two best differ by 1 with both seeds; the others show that seeds differ by far more.
    for batch_size, values in enumerate([(10, 11), (11, 12), (15, 21), (21, 15), (16, 25)]):
        for seed, value in enumerate(values):
            make_run(batch_size=batch_size, seed=seed, result=result(float(value)))
    found = answer(sweep_dir)
    assert found.margin is not None
    assert found.margin.method == "paired t with the noise of 5 configurations"
    assert found.verdict == "noise"
    assert found.tied >= 1


def test_a_key_that_changes_nothing_has_no_edge(sweep_dir: Path, make_run: MakeRun) -> None:
    # The best model has no use for `lambda_param`; of the other one the highest value is the best.
    for lambda_param in (0.5, 0.75):
        for learning_rate, value in ((0.001, 5.0), (0.003, 4.0)):
            make_run(learning_rate=learning_rate, model="boosting", result=result(value), lambda_param=lambda_param)
        make_run(learning_rate=0.001, result=result(9.0 - lambda_param), lambda_param=lambda_param)
    found = answer(sweep_dir)
    assert found.best is not None
    assert found.best.model == "boosting"
    assert [edge.key for edge in found.edges] == ["learning_rate"]


def test_edge_and_the_command_beyond_it(sweep_dir: Path, make_run: MakeRun) -> None:
    for learning_rate, value in ((0.001, 8.0), (0.003, 7.0), (0.01, 6.0)):
        run = make_run(learning_rate=learning_rate, result=result(value))
        run.overrides.write_text(f"- experiment=quick\n- learning_rate={learning_rate}\n- num_epochs=3\n- only=x\n")
    make_run(learning_rate=0.03, state="running")
    assert answer(sweep_dir).edges == []
    make_run(learning_rate=0.03, state="failed", error="diverged").config.unlink()
    for path in sweep_dir.rglob("run003"):
        (path / ".hydra" / "config.yaml").unlink()

    found = answer(sweep_dir)
    (edge,) = found.edges
    assert (edge.key, edge.side, edge.suggested) == ("learning_rate", "highest", (0.03, 0.1))
    assert any("learning_rate=0.01 is at the highest end of the 3 values" in sentence for sentence in sentences(found))
    (step,) = [step for step in found.next_steps if "edge" in step.reason]
    assert shlex.split(step.commands[0]) == [
        *("python", "train.py", "-m", "experiment=quick", "num_epochs=3", "seed=0", "learning_rate=0.01,0.03,0.1"),
        f"hydra.sweep.dir={sweep_dir}",
    ]


def test_the_command_that_trains_the_best_again(sweep_dir: Path, make_run: MakeRun) -> None:
    run = make_run(result=result(1.0), num_epochs=40, batch_size=32)
    make_run(result=result(2.0), num_epochs=40, batch_size=64)
    run.overrides.write_text("- model=lstm\n- 'note=''it is'''\n- batch_size=32\n- num_epochs=40\n- retries=2\n")
    (run.path / ".hydra" / "hydra.yaml").write_text("hydra:\n  job:\n    name: other\n")
    command = answer(sweep_dir).command
    assert command is not None
    assert shlex.split(command) == [
        *("python", "other.py", "model=lstm", "note='it is'", "batch_size=32", "num_epochs=80", "visualize=true")
    ]
    run.overrides.write_text("{")
    assert answer(sweep_dir).command == "python other.py batch_size=32 model=lstm num_epochs=80 visualize=true"


def test_what_has_not_completed_is_no_candidate(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(batch_size=32, result=result(9.0))
    make_run(batch_size=64, result=result(math.nan))
    for state in ("pruned", "failed", "running"):
        run = make_run(batch_size=128, state=state, error="x")
        run.test_metrics.write_text(json.dumps({"schema_version": 1, **result(1.0)}))
    found = answer(sweep_dir)
    assert found.best is not None
    assert found.best.values == {"batch_size": 32}
    assert found.states == {"completed": 2, "pruned": 1, "failed": 1, "running": 1}
    assert (found.verdict, found.runner_up) == ("only", None)


def test_half_of_the_repeats_is_said(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(batch_size=32, seed=0, result=result(1.0))
    for seed in (0, 1, 2):
        make_run(batch_size=64, seed=seed, result=result(2.0 + seed / 10))
    (note,) = answer(sweep_dir).notes
    assert "the best has 1 of the 3 repeats that others have" in note


def test_nothing_to_choose_from_is_said(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(state="running")
    assert "no run has completed yet" in sentences(answer(sweep_dir))[0]
    make_run(result={"rul_mae": 1.0})
    assert "select_by=test has it" in sentences(answer(sweep_dir))[0]
    assert answer(sweep_dir, select_by="test").best is not None
    with pytest.raises(ConfigError, match=r"metric=speed: these runs have rul_mae"):
        answer(sweep_dir, metric="speed")
    with pytest.raises(ConfigError, match="select_by=luck: allowed are validation and test"):
        Choice(select_by="luck")


def test_a_data_set_for_itself(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(result=result(1.0), batch_size=32)
    make_run(result=result(5.0), batch_size=64, dataset={"name": "turbofan", "subset": "FD001"})
    make_run(result=result(4.0), batch_size=32, dataset={"name": "turbofan", "subset": "FD001"})
    first, second = answers(collect(sweep_dir), Criterion("rul_mae"))
    assert (first.dataset, second.dataset, second.configurations) == ("simulated", "turbofan/FD001", 2)
    assert second.best is not None
    assert second.best.selected.mean == 4.0


def test_an_unreadable_config_asks_nothing(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(result=result(1.0))
    make_run().config.write_text("a: [")
    assert [found.dataset for found in answers(collect(sweep_dir), Criterion("rul_mae"))] == ["simulated"]


def test_one_and_true_and_null_are_three_values(sweep_dir: Path, make_run: MakeRun) -> None:
    for value in (1, 1.0, True, None):
        make_run(option=value, result=result(1.0))
    make_run(other=3, result=result(1.0))
    assert len(Configurations(collect(sweep_dir)).table) == 5


def test_everything_can_be_written_as_json(sweep_dir: Path, make_run: MakeRun) -> None:
    for seed in (0, 1):
        make_run(seed=seed, batch_size=32, result=result(1.0 + seed))
        make_run(seed=seed, batch_size=64, result=result(2.0))
    found = answer(sweep_dir)
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert read["best"]["values"] == {"batch_size": 32}
    assert (read["margin"]["n"], read["states"]) == (2, {"completed": 4})
