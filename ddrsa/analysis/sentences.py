"""Sentences of an answer, for the terminal, the report and the JSON."""

from __future__ import annotations

import math

from ddrsa.analysis.answer import CLEAR, NOISE, UNKNOWN, Answer
from ddrsa.analysis.candidates import Candidate
from ddrsa.analysis.commands import settings
from ddrsa.analysis.edges import Edge
from ddrsa.analysis.metrics import METRICS, UNITS, metric
from ddrsa.analysis.paired_units import OnUnits
from ddrsa.analysis.read_run import NO_NAME
from ddrsa.analysis.statistics import Difference, Estimate
from ddrsa.time_units import counted


def sentences(answer: Answer) -> list[str]:
    """The answer for one data set, item by item: the best, the margin, its worth, the edges, the notes."""
    if answer.best is None:
        return [_on_data(answer, f"no configuration can be named: {'. '.join(answer.notes)}.")]
    best, unit = answer.best, metric(answer.metric, answer.dataset).unit
    of = (
        f"the best of {answer.configurations} configurations is {named(best)}"
        if answer.configurations > 1
        else f"the one configuration is {named(best)}"
        if named(best) != NO_NAME
        else "there is one configuration"
    )
    said = [
        _on_data(
            answer,
            f"{of}: {metric(answer.metric).label} {number(best.selected, unit)} "
            f"{UNITS[answer.select_by]}{_direction(answer)} ({_repeats(best)}).",
        )
    ]
    said += answer.baselines
    if answer.select_by == "test":
        said.append(
            "It was chosen by the test units themselves, so on new units it will be worse than that; "
            "select_by=validation chooses without them."
        )
    elif answer.select_by == "validation" and answer.test is not None:
        within = ""
        if answer.test_interval is not None:
            low, high = answer.test_interval
            within = f" (95 % interval {low:.3g} to {high:.3g}, by the bootstrap over units)"
        said.append(f"On the test units, which had no say, it has {number(answer.test, unit)}{within}.")
    if answer.margin is not None and answer.runner_up is not None:
        said += _margin(answer, answer.margin, answer.runner_up, unit)
    said += answer.policy
    said += [edge_sentence(edge) for edge in answer.edges]
    return said + [f"{note[0].upper()}{note[1:]}." for note in answer.notes]


def _on_data(answer: Answer, text: str) -> str:
    return f"{text[0].upper()}{text[1:]}" if answer.dataset == NO_NAME else f"{answer.dataset}: {text}"


def _direction(answer: Answer) -> str:
    """Of a metric that the project does not know, in case the name was read wrongly."""
    if answer.metric in METRICS:
        return ""
    return f", {'higher' if answer.higher_is_better else 'lower'} is better"


def named(candidate: Candidate) -> str:
    """The configuration in one line: its model, where it has one, and its swept values as on the command line."""
    return " ".join([*({candidate.model} - {NO_NAME}), *settings(candidate.values)]) or NO_NAME


def number(estimate: Estimate, unit: str = "") -> str:
    """The mean ± the deviation over repeats, where there are several."""
    behind = f"{unit and ' ' + unit}"
    if not estimate.deviation:
        return f"{estimate.mean:.4g}{behind}"
    # Two digits of the deviation, and the mean as exactly as that.
    decimals = max(0, 1 - math.floor(math.log10(estimate.deviation)))
    return f"{estimate.mean:.{decimals}f} ± {estimate.deviation:.{decimals}f}{behind}"


def edge_sentence(edge: Edge) -> str:
    """The sentence on a value at the edge, with those to try beyond it."""
    beyond = " or ".join(f"{value:g}" for value in edge.suggested)
    return (
        f"{edge.key}={edge.value:g} is at the {edge.side} end of the {edge.count} values tried ({edge.lowest:g} to "
        f"{edge.highest:g}): the optimum may lie beyond, try {beyond}."
    )


def _repeats(candidate: Candidate) -> str:
    if candidate.selected.n == 1:
        return "1 run"
    keys = [key for key, values in candidate.repeats.items() if len(values) > 1]
    over = " and ".join(f"{len(candidate.repeats[key])} {key}s" for key in keys)
    return f"mean ± deviation of {candidate.selected.n} runs{over and ', ' + over}"


def _margin(answer: Answer, margin: Difference, runner_up: Candidate, unit: str) -> list[str]:
    worse = f"{_amount(abs(margin.mean), unit)} {'worse' if margin.mean >= 0 else 'better over the repeats of both'}"
    text = f"The next, {named(runner_up)}, is {worse}"
    if margin.low is not None and margin.high is not None:
        held = "" if answer.looks is None else " that holds at every look"
        text += f" (95 % interval{held} {margin.low:.2g} to {margin.high:.2g}, {margin.method}, n = {margin.n})"
    said = [f"{text}. {_worth(answer)}"]
    if answer.looks is not None and margin.low is not None:
        said.append(_looks(answer.looks))
    if answer.on_units is not None:
        said.append(_on_units(answer.on_units, unit, one_look=answer.looks is not None))
    others = answer.configurations - 1
    if answer.tied and others > 1:
        said.append(f"{answer.tied} of the {others} other configurations cannot be told apart from the best.")
    return said


def _looks(comparisons: int) -> str:
    pairs = "" if comparisons == 1 else f", and for all {comparisons} pairs of configurations together"
    return (
        f"This allows for every look at the runs as they come in{pairs}: noise passes for a difference in at most 5 % "
        "of such sweeps, however often one looks. So it is wider than the interval of one look, at the end."
    )


def _on_units(found: OnUnits, unit: str, *, one_look: bool) -> str:
    """one_look: whether the other intervals hold at every look, and this one does not."""
    more = f"{_amount(abs(found.mean), unit)} {'higher' if found.mean >= 0 else 'lower'}"
    certain = "" if found.low > 0 or found.high < 0 else "; these units do not tell the two apart"
    alone = " of this look alone" if one_look else ""
    return (
        f"On the same {found.units} test units the next is {more} (95 % interval{alone} {found.low:.2g} to "
        f"{found.high:.2g}, paired bootstrap over units{certain})."
    )


def _worth(answer: Answer) -> str:
    return {
        CLEAR: "That is larger than the noise between repeats.",
        NOISE: "That is within the noise between repeats: these runs do not tell the two apart.",
        UNKNOWN: "Whether that is more than noise cannot be told without repeats: run both with several seeds.",
    }[answer.verdict]


def _amount(value: float, unit: str) -> str:
    return counted(value, unit) if unit else f"{value:.3g}"
