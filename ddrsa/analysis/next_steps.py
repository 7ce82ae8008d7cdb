"""Next steps after a sweep, each with its command."""

from __future__ import annotations

from typing import Any

from ddrsa.analysis.answer import Answer, NextStep
from ddrsa.analysis.candidates import Candidate
from ddrsa.analysis.collect import Sweep
from ddrsa.analysis.commands import has_keys, is_script, resume, run_of, sweep_further, takes_more_runs
from ddrsa.analysis.planned import not_begun
from ddrsa.rundir.directory import RunDirectory
from ddrsa.rundir.states import State
from ddrsa.texts import count_of

# Repeats that an interval over seeds needs before it says much.
_FEWEST_REPEATS = 5


def next_steps(sweep: Sweep, answer: Answer) -> list[NextStep]:
    """Steps that the answer leaves open: runs not ended, an optimum at the edge, a margin within the noise."""
    assert answer.best is not None
    steps = []
    unfinished = sum(
        count for state, count in answer.states.items() if not State(state).is_done and state != State.UNREADABLE
    )
    # Of which data set a run is that has not begun, its directory will say.
    if len(sweep.sources) == 1 and sweep.runs["dataset"].nunique(dropna=False) == 1:
        unfinished += not_begun(sweep, next(iter(sweep.sources)))
    if unfinished and len(sweep.sources) == 1:
        runs = count_of(unfinished, "run that has", "runs that have")
        steps.append(NextStep(f"finish the {runs} not completed", [resume(sweep.path)]))
    if answer.edges:
        tried = {edge.key: [edge.value, *edge.suggested] for edge in answer.edges}
        names = " and ".join(edge.key for edge in answer.edges)
        steps.append(NextStep(f"look beyond the edge of {names}", [_sweep(sweep, answer.best, tried)]))
    seeded = _has_seed(run_of(answer.best.directories[0], sweep.path))
    if seeded and answer.verdict in ("noise", "unknown") and answer.runner_up is not None:
        steps.append(
            NextStep(
                "repeat the two best with so many more seeds, then look again; hydra/sweeper=race may look at any time",
                [_sweep(sweep, one, _more_seeds(one)) for one in (answer.best, answer.runner_up)],
            )
        )
    return steps


def _has_seed(run: RunDirectory) -> bool:
    return not is_script(run) and has_keys(run, "seed")


def _more_seeds(candidate: Candidate) -> dict[str, list[Any]]:
    seeds = [seed for seed in candidate.repeats.get("seed", [0]) if isinstance(seed, int)]
    wanted = max(_FEWEST_REPEATS, 2 * len(seeds))
    new = (seed for seed in range(max(seeds, default=-1) + 1 + wanted) if seed not in seeds)
    tried: dict[str, list[Any]] = {"seed": sorted([*seeds, *(next(new) for _ in range(wanted - len(seeds)))])}
    folds = candidate.repeats.get("fold", [])
    return tried | ({"fold": folds} if len(folds) > 1 else {})


def _sweep(sweep: Sweep, candidate: Candidate, tried: dict[str, list[Any]]) -> str:
    # Into the same sweep, so that the next analysis sees old and new runs together.
    source = next(iter(sweep.sources.values())) if len(sweep.sources) == 1 else None
    if source is not None and takes_more_runs(source):
        tried = {**tried, "hydra.sweep.dir": [str(source)]}
    run = run_of(candidate.directories[0], sweep.path)
    if "seed" not in tried and _has_seed(run):
        tried = {"seed": candidate.repeats.get("seed", [0]), **tried}
    return sweep_further(run, {**candidate.values, "model": candidate.model}, tried)
