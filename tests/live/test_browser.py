"""The live page in a real browser, of sweeps that really run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from analysis_runs import metrics, run_maker
from browser import Visit, chromium
from programs import LAUNCHING, ROOT, start_program
from serving import Served, served

from ddrsa.rundir.files import write_json

APP = Path(__file__).parent / "live_app.py"
# The first analysis of a machine that does much else takes its time.
PATIENCE = 180_000
MODELS, SEEDS = ("lstm", "gru", "tcn"), range(25)
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


def begin(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "DDRSA_LEASE_DIR": str(folder / "leases")}
    return start_program(
        APP, "-m", "hydra/launcher=supervised", "hydra.launcher.n_jobs=2", *overrides,
        imports=LAUNCHING, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def has(visit: Visit, selector: str, text: str, timeout: int = 60_000) -> None:
    from playwright.sync_api import expect

    expect(visit.page.locator(selector)).to_contain_text(re.compile(text), timeout=timeout)


def counts(visit: Visit, selector: str, count: int) -> None:
    from playwright.sync_api import expect

    expect(visit.page.locator(selector)).to_have_count(count, timeout=60_000)


def quiet(visit: Visit) -> bool:
    """Whether the page said nothing, and asked its own server only."""
    host = re.match(r"http://[^/]+/", visit.page.url)
    assert host is not None
    return visit.said == [] and all(url.startswith(host[0]) for url in visit.requests)


def fill(sweep: Path) -> None:
    """75 runs with curves, and three that went wrong."""
    make = run_maker(sweep)
    runs = []
    for model in MODELS:
        for seed in SEEDS:
            value = 1 + seed / 10 + (model == "gru") / 3
            run = make(model, result=metrics(value, value, 0.8, nll=value, validation={"nll": value}), seed=seed)
            run.update(num_epochs=3, validation_loss=value)
            rows = "".join(f"{epoch},{value / epoch},{value + 1 / epoch}\n" for epoch in (1, 2, 3))
            (run.path / "metrics.csv").write_text(f"epoch,train_loss,validation_loss\n{rows}")
            runs.append((run, {"model": model, "seed": str(seed)}))
    for seed, state in enumerate(("failed", "failed", "timed_out")):
        run = make("lstm", state=state, error=f"ValueError: {EVIL} in batch {seed}", seed=100 + seed)
        run.log.write_text(f"line 1\n{EVIL}\nthe end of run {seed}\n")
        runs.append((run, {"model": "lstm", "seed": str(100 + seed)}))
    planned = [
        {
            "directory": run.path.relative_to(sweep).as_posix(),
            "overrides": [f"{key}={value}" for key, value in values.items()],
            "values": values,
            "config": {"lookback": 32, "horizon": 64, "lambda_param": 0.75},
        }
        for run, values in runs
    ]
    shown = {"rank_by": {"validation.nll": "validation NLL"}, "columns": {"validation_loss": "val. loss"}}
    write_json(sweep / "experiment_manifest.json", {"runs": planned, "presentation": shown})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("live") / "multirun"
    sweep = root / "many"
    sweep.mkdir(parents=True)
    fill(sweep)
    with served(root) as found:
        yield found


def open_sweep(browser: Any, server: Served, name: str = "many", **options: Any) -> Visit:
    visit = Visit(browser, f"{server.address}?sweep={server.id_of(name)}", **options)
    has(visit, "#count", r"of \d+ runs")
    return visit


def test_a_sweep_that_runs(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "allowed").write_text("1")
    process = begin(tmp_path, "x=1,2,13", "seed=0,1")
    try:
        with served(tmp_path) as server:
            visit = Visit(browser, server.address)
            has(visit, "#sweep-list", "sweep")  # it is listed when it has begun
            visit.page.get_by_role("link", name="sweep", exact=True).click()
            has(visit, "#rest", "^0 of 6 runs, running")
            has(visit, "#running-list", "epoch 1/3")
            assert visit.page.locator("#running-list li").count() == 2
            has(visit, ".legend", "x=1 seed=0")
            assert visit.page.locator("#chart path.curve").count() >= 2
            assert "pending" in visit.page.locator("#states").inner_text()
            has(visit, "#answer-state", "when a run has completed")

            (tmp_path / "allowed").write_text("3")
            has(visit, "#rest", "^6 of 6 runs, all runs have ended")
            process.communicate(timeout=100)
            assert visit.page.locator("#states").inner_text().split("\n") == ["4 completed", "2 failed"]
            assert visit.column("state") == ["completed"] * 4 + ["failed"] * 2
            assert visit.column("epoch") == ["3/3"] * 4 + ["1/3"] * 2
            has(visit, "#failure-list summary", "2 failed ValueError: thirteen <b>brings</b> bad luck")
            has(visit, "#failure-list .log >> nth=0", "ValueError: thirteen <b>brings</b> bad luck")
            has(visit, "#failure-list .logs", "about to fail <img src=x onerror=alert\\(1\\)>")
            assert quiet(visit), (visit.said, visit.requests)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.timeout(600)
def test_the_present_answer_and_its_plots(browser: Any, server: Served) -> None:
    visit = open_sweep(browser, server)
    has(visit, "#answer-state", "(being worked out|by 75 completed runs)")
    has(visit, "#answers", "the best of 3 configurations is", PATIENCE)
    has(visit, "#answers", "95 % interval")
    has(visit, "#plot-list figcaption >> nth=0", "for every completed run", PATIENCE)
    visit.page.wait_for_load_state("networkidle")
    assert visit.page.evaluate("[...document.images].every((image) => image.naturalWidth > 300)")
    assert visit.page.locator("#plot-list img").count() >= 2
    assert visit.page.locator("#plot-list img").first.get_attribute("alt")
    assert quiet(visit), (visit.said, visit.requests)
    # A plot by itself is a picture, and no page that can do anything.
    source = visit.page.locator("#plot-list img").first.get_attribute("src")
    _, headers, _ = server.ask(f"/{source}")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe-inline'; sandbox")


def test_a_launcher_that_is_killed_is_said_and_gone_on_with(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "allowed").write_text("1")
    process = begin(tmp_path, "x=1,2,3")
    with served(tmp_path) as server:
        visit = Visit(browser, server.address)
        visit.page.get_by_role("link", name="sweep", exact=True).click()
        has(visit, "#running-list", "epoch 1/3")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        has(visit, "#rest", "^0 of 3 runs, stopped")
        has(visit, "#notes", "The launcher has gone, and 3 runs have not ended. To go on: ddrsa resume")
        (tmp_path / "allowed").write_text("3")
        begin(tmp_path, "x=1,2,3").communicate(timeout=100)
        has(visit, "#rest", "^3 of 3 runs, all runs have ended")
        assert not visit.page.locator("#notes").is_visible()
        assert quiet(visit), (visit.said, visit.requests)


def test_a_server_that_goes_away_is_said(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "multirun").mkdir()
    with served(tmp_path / "multirun") as server:
        visit = Visit(browser, server.address)
        has(visit, "#empty", "There is no sweep in .*multirun: neither experiment_manifest.json nor multirun.yaml")
        server.end()
        has(visit, "#trouble", "The server does not answer")


def test_sorting_filtering_and_paging(browser: Any, server: Served) -> None:
    visit = open_sweep(browser, server)
    has(visit, "#count", "78 of 78 runs, 1 to 50")
    visit.heading("validation NLL").get_by_role("button").click()
    values = [float(text) for text in visit.column("validation NLL")]
    assert values == sorted(values)
    assert len(values) == 50
    visit.heading("seed").get_by_role("button").focus()
    visit.page.keyboard.press("Enter")
    assert visit.column("seed")[:4] == ["0", "0", "0", "1"]
    visit.page.get_by_label("model", exact=True).select_option("gru")
    has(visit, "#count", "25 of 78")
    visit.page.get_by_role("button", name="Show all").click()
    visit.page.get_by_label("Search").fill("timed_out")
    has(visit, "#count", "1 of 78")
    visit.page.get_by_label("Search").fill("model=tcn seed=3")
    has(visit, "#count", "1 of 78")
    # The curves are those of the table then, under the same names.
    counts(visit, ".legend li", 1)
    has(visit, ".legend", "model=tcn seed=3")
    assert quiet(visit)


def test_a_run_in_a_dialog_by_keyboard(browser: Any, server: Served) -> None:
    visit = open_sweep(browser, server)
    visit.page.get_by_label("state", exact=True).select_option("failed")
    has(visit, "#count", "2 of 78")
    button = visit.page.locator("#run-table tbody button").first
    button.focus()
    visit.page.keyboard.press("Enter")
    has(visit, "#run .log", "the end of run 0")
    assert EVIL in visit.page.locator("#run .log").inner_text()
    assert visit.page.url.endswith("#run=75")
    visit.page.keyboard.press("Escape")
    visit.page.locator("#run").wait_for(state="hidden")
    assert visit.page.evaluate("document.activeElement.textContent") == "model=lstm seed=100"
    assert quiet(visit)
    # The address of a run can be passed on.
    other = Visit(browser, f"{server.address}?sweep={server.id_of('many')}#run=0")
    has(other, "#run-name", "model=lstm seed=0")
    assert other.page.locator("#run-metric option").all_inner_texts() == ["validation_loss", "train_loss"]
    assert other.page.locator("#run path.curve").count() >= 1


def test_the_focus_stays_while_the_table_changes(browser: Any, server: Served) -> None:
    visit = open_sweep(browser, server)
    visit.page.locator("#run-table tbody button").nth(3).focus()
    visit.page.evaluate("window.before = document.activeElement")
    asked = len(visit.requests)
    with visit.page.expect_response(re.compile("api/sweep")):
        visit.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert len(visit.requests) > asked
    assert visit.page.evaluate("document.activeElement === window.before")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_overflows_the_page(browser: Any, server: Served, width: int) -> None:
    visit = open_sweep(browser, server, width=width)
    has(visit, "#answers", "the best of", PATIENCE)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width


def test_it_waits_while_nobody_looks(browser: Any, server: Served) -> None:
    visit = open_sweep(browser, server)
    visit.page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    asked = len(visit.requests)
    time.sleep(2.5)
    assert len(visit.requests) == asked


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_accessibility(browser: Any, server: Served, tmp_path: Path, scheme: str, width: int) -> None:
    """axe-core finds nothing against WCAG 2.2 AA or its own best practices, contrast included."""
    from axe_playwright_python.sync_playwright import Axe

    # axe is injected as a script, which the page's own policy forbids.
    visit = open_sweep(browser, server, scheme=scheme, width=width, bypass_csp=True)
    has(visit, "#answers", "the best of", PATIENCE)
    has(visit, "#failure-list .log >> nth=0", "the end of run")
    visit.page.locator("#chart summary").click()
    found = Axe().run(visit.page)
    assert found.violations_count == 0, found.generate_report()
    assert len(found.response["passes"]) > 20
    visit.page.locator("#run-table tbody button").first.click()
    has(visit, "#run-name", "model=lstm")
    found = Axe().run(visit.page)
    assert found.violations_count == 0, found.generate_report()
    listed = Visit(browser, server.address, width, scheme, bypass_csp=True)
    has(listed, "#sweep-list", "many")
    with served(tmp_path) as empty:
        nothing = Visit(browser, empty.address, width, scheme, bypass_csp=True)
        has(nothing, "#empty", "There is no sweep")
        for each in (listed, nothing):
            found = Axe().run(each.page)
            assert found.violations_count == 0, found.generate_report()
