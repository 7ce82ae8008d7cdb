"""What report.html holds, as text; test_report_browser.py looks at it in a browser."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from analysis_runs import MakeRun, metrics

from ddrsa.analysis.analysis import analyze
from ddrsa.analysis.collect import Sweep
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.plots.drawn import LeftOut, Plot, Plots
from ddrsa.analysis.report.failures import MOST_REASONS, MOST_RUNS, failure_groups
from ddrsa.analysis.report.page import link, render, short_name
from ddrsa.analysis.sentences import sentences
from ddrsa.rundir.files import write_json


def rendered(sweep_dir: Path, plots: Plots | None = None, select_by: str = "validation") -> str:
    return render(analyze({"": sweep_dir}, sweep_dir, Choice("rul_mae", select_by)), plots or Plots())


def data_of(page: str) -> dict[str, Any]:
    text = re.search(r'<script type="application/json" id="run-data">(.*?)</script>', page, re.DOTALL)
    assert text is not None
    return json.loads(text[1])


def text_of(page: str) -> str:
    """What a reader sees, in one line."""
    body = re.sub(r"<(style|script)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def add_repeats(make_run: MakeRun) -> None:
    for batch_size, mae in ((32, 10), (64, 20), (128, 30)):
        for seed in range(3):
            result = metrics(mae + seed / 10, mae, 0.8, validation=metrics(mae + seed / 10, mae, 0.8))
            make_run(batch_size=batch_size, seed=seed, result=result)


def test_it_opens_with_the_answer(sweep_dir: Path, make_run: MakeRun) -> None:
    add_repeats(make_run)
    page = rendered(sweep_dir)
    text = text_of(page)
    (answer,) = analyze({"": sweep_dir}, sweep_dir, Choice("rul_mae", "validation")).answers
    for sentence in sentences(answer):
        assert " ".join(sentence.split()) in text
    assert "larger than the noise" in text
    assert "batch_size=32 is at the lowest end of the 3 values tried" in text
    assert answer.command is not None
    assert answer.command in text
    assert text.index("The answer") < text.index("All 9 runs") < text.index("No plot could be drawn")


def test_the_data_of_the_table(sweep_dir: Path, make_run: MakeRun) -> None:
    add_repeats(make_run)
    make_run(batch_size=256, result=metrics(float("nan"), 1, 0.5))
    make_run(batch_size=None, state="failed")
    data = data_of(rendered(sweep_dir))
    labels = [column["label"] for column in data["columns"]]
    columns = dict(zip(labels, data["data"], strict=True))
    assert columns["MAE (cycles), validation"] == [10, 10.1, 10.2, 20, 20.1, 20.2, 30, 30.1, 30.2, None, None]
    assert labels[data["sortedBy"]] == "MAE (cycles), validation"
    assert columns["MAE (cycles), test"][-2:] == [None, None]
    assert columns["batch_size"] == [32, 32, 32, 64, 64, 64, 128, 128, 128, 256, "null"]
    assert columns["state"][-1] == "failed"


def test_a_higher_metric_is_first_where_higher_is_better(sweep_dir: Path, make_run: MakeRun) -> None:
    for value in (0.5, 0.9, 0.7):
        make_run(batch_size=int(value * 10), result=metrics(1, 1, value))
    analysis = analyze({"": sweep_dir}, sweep_dir, Choice("concordance_index", "test"))
    data = data_of(render(analysis, Plots()))
    assert data["data"][data["sortedBy"]] == [0.9, 0.7, 0.5]
    assert data["descending"] is True


def test_nothing_has_completed(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run(state="running")
    make_run(state="pending")
    plots = Plots(left_out=[LeftOut("model_comparison", "no run has <completed>")])
    text = text_of(rendered(sweep_dir, plots))
    assert "no run has completed yet" in text
    assert "The sweep has not ended" in text
    assert "model_comparison : no run has <completed>" in text
    assert "No run has failed." in text


def test_everything_of_a_run_is_escaped(sweep_dir: Path, make_run: MakeRun) -> None:
    evil = "</script><script>alert(1)</script><b>&\u2028'\""
    make_run(tag=evil)
    make_run(tag="other", state="failed", error=evil)
    (sweep_dir / "experiment_manifest.json").write_text("<script>alert(2)</script>")
    page = rendered(sweep_dir, Plots(left_out=[LeftOut(evil, evil)]), "test")
    assert page.count("<script") == page.count("</script>") == 2
    assert "<b>" not in page
    assert evil in data_of(page)["data"][[c["label"] for c in data_of(page)["columns"]].index("tag")]


def test_plots_lie_in_the_page(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run()
    folder = sweep_dir / "analysis_plots"
    folder.mkdir()
    plots = Plots()
    for name, svg_size, png_size in (("small", 10, 10), ("large", 300_000, 20), ("both", 300_000, 400_000)):
        svg, png = folder / f"{name}.svg", folder / f"{name}.png"
        svg.write_bytes(b"s" * svg_size)
        png.write_bytes(b"p" * png_size)
        plots.drawn.append(Plot(name, f"The {name} one", f'what "{name}" shows', png, svg))
    page = rendered(sweep_dir, plots)
    assert re.findall(r'<img src="data:image/([^;]*);', page) == ["svg+xml", "png", "svg+xml"]
    assert 'alt="what &#34;small&#34; shows"' in page
    assert 'href="analysis_plots/large.svg"' in page
    assert not re.search(r'(src|href)="(https?:|//)', page)


def test_thousands_of_failures_are_put_together() -> None:
    rows = [
        *(("failed", f"OutOfMemoryError: {i} MiB in logs/{i}", f"logs/{i}", f"logs/{i}/run.log") for i in range(5000)),
        *(("killed", None, f"logs/k{i}", None) for i in range(2)),
        *(("failed", f"kind {chr(97 + i % 26)}{chr(97 + i // 26)}", f"logs/o{i}", None) for i in range(60)),
        ("completed", None, "logs/fine", None),
    ]
    runs = pd.DataFrame(rows, columns=["state", "reason", "directory", "log"])
    failures = failure_groups(Sweep(Path(), {}, runs, [], []))
    assert failures.count == 5062
    first, second = failures.groups[:2]
    assert (first.count, first.state, len(first.runs)) == (5000, "failed", MOST_RUNS)
    assert first.runs[0]["log"] == "logs/0/run.log"
    assert (second.count, second.reason, second.runs[0]["log"]) == (2, "no reason is given in status.json", None)
    assert (len(failures.groups), failures.more) == (MOST_REASONS, 62 - MOST_REASONS)


def test_the_environment(sweep_dir: Path, make_run: MakeRun) -> None:
    make_run()
    assert "there is no experiment_manifest.json" in text_of(rendered(sweep_dir))
    manifest = {
        "created_at": "2026-11-21T10:00:00+00:00",
        "command": ["train.py", "-m", "only=seed > 3"],
        "working_dir": "/somewhere",
        "hostname": "a-host",
        "git": {"commit": "abc123", "dirty": True},
        "versions": {"python": "3.11", "torch": "2"},
        "runs": [{"directory": f"logs/{name}", "overrides": [], "config": {}} for name in "ab"],
        "earlier_runs": [{"directory": "logs/c"}],
    }
    write_json(sweep_dir / "experiment_manifest.json", manifest)
    text = text_of(rendered(sweep_dir))
    for fact in ("python train.py -m 'only=seed > 3'", "a-host", "python 3.11, torch 2", "/somewhere"):
        assert fact in text
    assert "abc123 with changes that are not committed" in text
    assert "3 runs are planned" in text
    for broken in ("{", '{"schema_version": 1, "runs": 3}', '{"schema_version": 99}'):
        (sweep_dir / "experiment_manifest.json").write_text(broken)
        assert "How it was started is not known: experiment_manifest.json cannot be read" in text_of(
            rendered(sweep_dir)
        )


def test_sweeps_that_are_compared(tmp_path: Path, sweep_dir: Path, make_run: MakeRun) -> None:
    add_repeats(make_run)
    other = tmp_path / "other"
    sweep_dir.joinpath("logs").rename(other)
    add_repeats(make_run)
    path = tmp_path / "comparison"
    analysis = analyze({"before": other, "after": sweep_dir}, path, Choice("rul_mae", "validation"))
    page = render(analysis, Plots())
    assert f"before: {other}" in text_of(page)
    assert "sweep" in [column["label"] for column in data_of(page)["columns"]]
    targets = re.findall(r'<th scope="row"><a href="([^"]*)"', page)
    assert len(targets) == 18
    assert all((path / target).resolve().is_dir() for target in targets)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("logs/a b/c?d#e%", "logs/a%20b/c%3Fd%23e%25"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29"),
        ("/abs/olute", "file:///abs/olute"),
        ("../up", "../up"),
    ],
)
def test_addresses(path: str, address: str) -> None:
    assert link(path) == address


def test_short_names() -> None:
    assert short_name("logs/simulated/lstm/bs64_lr0.1_s0_0123abcd") == "0123abcd"
    assert short_name("x1") == "x1"
