"""report.html in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from analysis_runs import MakeRun, metrics, run_maker
from browser import Visit, chromium

from ddrsa.analysis.analysis import analyze
from ddrsa.analysis.criterion import Choice
from ddrsa.analysis.plots import write_plots
from ddrsa.analysis.report import write_report

# 60 runs, and three that went wrong: more than a page of the table.
BATCH_SIZES, SEEDS, MODELS = (16, 32, 128), range(10), ("lstm", "gru")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


def write(sweep_dir: Path) -> Path:
    analysis = analyze({"": sweep_dir}, sweep_dir, Choice("rul_mae", "validation"))
    return write_report(analysis, write_plots(analysis))


def fill(make_run: MakeRun) -> None:
    for model in MODELS:
        for batch_size in BATCH_SIZES:
            for seed in SEEDS:
                mae = batch_size / 4 + seed + (model == "gru") / 8
                result = metrics(mae, mae, 0.8, validation=metrics(100 - mae, mae, 0.8))
                make_run(model, result=result, batch_size=batch_size, seed=seed)
    make_run("lstm", state="failed", error="RuntimeError: out of memory", batch_size=256)
    make_run("lstm", state="timed_out", error="<img src=x onerror=alert(1)>", batch_size=256)
    make_run("lstm", result=metrics(float("nan"), 1, 0.5), batch_size=16, seed=99)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sweep_dir = tmp_path_factory.mktemp("report") / "sweep"
    sweep_dir.mkdir()
    fill(run_maker(sweep_dir))
    return write(sweep_dir)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_loads_without_errors_and_without_a_network(browser: Any, report: Path, scheme: str) -> None:
    visit = Visit(browser, report, scheme=scheme)
    assert visit.said == []
    assert [url for url in visit.requests if not url.startswith("data:")] == [report.as_uri()]
    assert visit.page.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 300)")
    assert visit.page.locator("img").count() >= 1
    # What it is not allowed to load is refused by the browser itself.
    refused = "new Promise((r) => { const i = new Image(); i.onerror = () => r(true); i.onload = () => r(false); "
    assert visit.page.evaluate(refused + "i.src = 'http://127.0.0.1:9/x.png'; })")
    assert any("Content Security Policy" in text for text in visit.said)


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_overflows_the_page(browser: Any, report: Path, width: int) -> None:
    page = Visit(browser, report, width).page
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_sorting_by_mouse(browser: Any, report: Path) -> None:
    visit = Visit(browser, report)
    assert visit.heading("MAE (cycles), validation").get_attribute("aria-sort") == "ascending"
    values = [float(text) for text in visit.column("MAE (cycles), validation")]
    assert values == sorted(values)
    assert len(values) == 50

    visit.heading("batch_size").get_by_role("button").click()
    assert visit.heading("batch_size").get_attribute("aria-sort") == "ascending"
    assert visit.heading("MAE (cycles), validation").get_attribute("aria-sort") is None
    # As numbers: as texts 128 would come before 16.
    assert list(dict.fromkeys(visit.column("batch_size"))) == ["16", "32", "128"]
    visit.heading("batch_size").get_by_role("button").click()
    assert visit.heading("batch_size").get_attribute("aria-sort") == "descending"
    assert list(dict.fromkeys(visit.column("batch_size"))) == ["256", "128", "32", "16"]


@pytest.mark.parametrize("clicks", [1, 2])
def test_what_has_no_value_comes_last(browser: Any, report: Path, clicks: int) -> None:
    visit = Visit(browser, report)
    for _ in range(clicks):
        visit.heading("MAE (cycles), test").get_by_role("button").click()
    assert re.match(r"\d", visit.column("MAE (cycles), test")[0])
    visit.page.get_by_role("button", name="Next").click()
    assert visit.column("MAE (cycles), test")[-3:] == ["\N{EN DASH}"] * 3


def test_sorting_and_paging_by_keyboard(browser: Any, report: Path) -> None:
    visit = Visit(browser, report)
    button = visit.heading("model").get_by_role("button")
    button.focus()
    visit.page.keyboard.press("Enter")
    assert set(visit.column("model")[:30]) == {"gru"}
    visit.page.keyboard.press("Space")
    assert visit.heading("model").get_attribute("aria-sort") == "descending"
    assert set(visit.column("model")[:33]) == {"lstm"}
    assert visit.count == "63 of 63 runs, 1 to 50 are shown"
    following = visit.page.get_by_role("button", name="Next")
    following.focus()
    visit.page.keyboard.press("Enter")
    assert visit.count == "63 of 63 runs, 51 to 63 are shown"
    assert following.is_disabled()


def test_filtering(browser: Any, report: Path) -> None:
    visit = Visit(browser, report)
    visit.page.get_by_label("batch_size", exact=True).select_option("32")
    assert visit.count == "20 of 63 runs, 1 to 20 are shown"
    assert set(visit.column("batch_size")) == {"32"}
    visit.page.get_by_label("model", exact=True).select_option("gru")
    assert visit.count == "10 of 63 runs, 1 to 10 are shown"
    visit.page.get_by_role("button", name="Show all").click()
    visit.wait_for_count("63 of 63")

    visit.page.get_by_label("Search").fill("seed=9 batch_size=16")
    visit.wait_for_count("2 of 63")
    visit.page.get_by_label("Search").fill("")
    # By keyboard, in words; the number of runs is said to a screen reader.
    assert visit.page.locator("#count").get_attribute("role") == "status"
    visit.page.get_by_label("Search").focus()
    visit.page.keyboard.type("timed_out LSTM")
    visit.wait_for_count("1 of 63")
    assert visit.column("state") == ["timed_out"]
    visit.page.keyboard.type(" nothing")
    visit.wait_for_count("0 of 63 runs")
    assert visit.said == []


def test_it_can_be_read_without_a_script(browser: Any, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("#run-table tbody tr").count() == 50
    assert page.get_by_text("Without JavaScript").is_visible()
    assert not page.locator("#filters").is_visible()


def test_links_lead_to_the_runs(browser: Any, report: Path) -> None:
    visit = Visit(browser, report)
    target = visit.page.locator("#run-table tbody a").first.get_attribute("href")
    assert (report.parent / target / "status.json").is_file()
    visit.page.keyboard.press("Tab")
    assert visit.page.evaluate("document.activeElement.textContent") == "Skip to the answer"
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_accessibility(browser: Any, report: Path, scheme: str, width: int) -> None:
    """axe-core finds nothing against WCAG 2.2 AA or its own best practices, contrast included."""
    from axe_playwright_python.sync_playwright import Axe

    # axe is injected as a script, which the page's own policy forbids.
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(report.as_uri())
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    assert len(results.response["passes"]) > 20


def test_names_with_html_in_them(browser: Any, sweep_dir: Path, make_run: MakeRun) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'</td>"
    for seed in (0, 1):
        result = metrics(1, 1, 0.5, validation=metrics(1 + seed, 1, 0.5))
        make_run(seed=seed, result=result, note=[f"{evil}{i}</script>" for i in range(seed + 1)], tag=f"{evil}{seed}")
    failed = make_run(state="failed", error=f"ValueError: {evil}")
    failed.path.rename(failed.path.with_name("javascript:alert(3)"))
    visit = Visit(browser, write(sweep_dir))
    assert visit.said == []
    assert visit.page.locator("td img, td script, li img, details img").count() == 0
    visit.heading("tag").get_by_role("button").click()
    assert visit.column("tag")[:2] == [f"{evil}0", f"{evil}1"]
    links = visit.page.evaluate("[...document.links].map((link) => link.protocol)")
    assert set(links) == {"file:"}
    assert visit.said == []


@pytest.mark.slow
@pytest.mark.timeout(1200)  # most of it goes into 5,000 directories
def test_five_thousand_runs(browser: Any, sweep_dir: Path, make_run: MakeRun) -> None:
    for seed in range(5000):
        result = metrics(seed % 977, 1, 0.8, validation=metrics(seed % 977, 1, 0.8))
        make_run(seed=seed, result=result, learning_rate=(seed % 7) / 1000)
    visit = Visit(browser, write(sweep_dir))
    assert visit.count == "5000 of 5000 runs, 1 to 50 are shown"
    visit.heading("seed").get_by_role("button").click()
    visit.heading("seed").get_by_role("button").click()
    assert visit.column("seed")[:2] == ["4999", "4998"]
    visit.page.get_by_label("Search").fill("seed=4998")
    visit.wait_for_count("1 of 5000")
    assert visit.page.locator("#run-table tbody tr").count() == 1
