"""What the live page of a large sweep costs: the server's processor time, what goes to the browser, the page itself.

    python benchmarks/live_page.py [--runs 5000] [--keep DIR]

The run directories are generated: nine tenths have completed, one failed, and ten are under way. Measured are the
processor time of the server until all is read, for one refresh without and with a run that has moved on, and for a
minute in which nobody looks; the bytes of the first and of a later answer; and in headless Chromium, if there is one,
the longest that the page's thread was busy while it was loaded, sorted, filtered and refreshed.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "analysis")]

from generated_sweep import MODELS, grid, write_run  # noqa: E402

from ddrsa.rundir.directory import RunDirectory  # noqa: E402
from ddrsa.rundir.files import write_json  # noqa: E402
from ddrsa.rundir.process_identity import this_process  # noqa: E402

UNDER_WAY = 10
IDLE_SECONDS = 60


def main() -> None:
    """Generate, measure, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5_000)
    parser.add_argument("--keep", type=Path, help="generate the sweep here and leave it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        sweep = (arguments.keep or Path(temporary)) / "sweep"
        if not sweep.exists():
            generate(sweep, arguments.runs)
        going = [RunDirectory(path) for path in sorted(sweep.rglob("going"))]
        for mark in going:
            RunDirectory(mark.path.parent).update(**this_process())  # so that its process lives
        command = [sys.executable, "-m", "ddrsa", "serve", str(sweep), "--port", "0"]
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as server:
            try:
                assert server.stdout is not None
                address = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+/", line)))
                measure(address, psutil.Process(server.pid), RunDirectory(going[0].path.parent))
            finally:
                server.terminate()


def generate(sweep: Path, count: int) -> None:
    """A sweep with a manifest, as its launcher leaves it while it runs."""
    began = time.perf_counter()
    seeds = range(-(-count // (3 * 4 * 5)))
    values = {
        "model": list(MODELS), "batch_size": [32, 64, 128, 256], "learning_rate": [0.0003, 0.001, 0.003, 0.01, 0.03],
        "seed": list(seeds),
    }  # fmt: skip
    planned = []
    for number, chosen in enumerate(itertools.islice(grid(values), count)):
        under_way = number >= count - UNDER_WAY
        state = "running" if under_way else "failed" if number % 10 == 9 else "completed"
        path = write_run(sweep, number, chosen, state)
        if under_way:
            (path / "going").touch()
        texts = {key: str(value) for key, value in chosen.items()}
        planned.append(
            {
                "directory": path.relative_to(sweep).as_posix(), "identity": str(number), "number": number,
                "overrides": [f"{key}={value}" for key, value in texts.items()], "values": texts,
                "config": {"lookback": 64, "horizon": 128, "lambda_param": 0.75, **chosen},
            }
        )  # fmt: skip
    shown = {"rank_by": {"validation.nll": "validation NLL"}, "columns": {"best_validation_loss": "best"}}
    write_json(sweep / "experiment_manifest.json", {"runs": planned, "presentation": shown, **this_process()})
    print(f"{count} run directories generated in {time.perf_counter() - began:.1f} s")


def measure(address: str, server: psutil.Process, run: RunDirectory) -> None:
    """Ask as the page does."""

    def spent() -> float:
        times = server.cpu_times()
        return float(times.user + times.system)

    def ask(path: str) -> tuple[dict[str, Any], int]:
        request = urllib.request.Request(address + path, headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request) as answer:
            body = answer.read()
            plain = gzip.decompress(body) if answer.headers["Content-Encoding"] == "gzip" else body
            return json.loads(plain), len(body)

    found, _ = ask("api/sweeps")
    key = found["sweeps"][0]["id"]
    before, asked = spent(), 0
    while True:
        first, size = ask(f"api/sweep?sweep={key}")
        asked += 1
        if not first["progress"]["unread"]:
            break
    print(
        f"all read: {spent():.2f} s of processor time in all, {asked} answers; the whole table is {size / 1024:.0f} KiB"
    )
    known = f"api/sweep?sweep={key}&since={first['version']}&generation={first['generation']}"
    known += f"&instance={first['instance']}&answer=0"

    def refreshed() -> tuple[float, int, int]:
        time.sleep(6)  # the next look is due
        before = spent()
        answer, size = ask(known)
        return spent() - before, size, len(answer["rows"])

    seconds, size, rows = min(refreshed() for _ in range(5))
    print(f"a refresh: {seconds * 1000:.0f} ms of processor time, {size / 1024:.1f} KiB, {rows} rows")
    run.update(epoch=8)
    seconds, size, rows = refreshed()
    print(f"a refresh after a run has moved on: {seconds * 1000:.0f} ms, {size / 1024:.1f} KiB, {rows} rows")
    before = spent()
    time.sleep(IDLE_SECONDS)
    print(f"a minute without a page: {(spent() - before) * 60 / IDLE_SECONDS * 1000:.0f} ms of processor time")
    before = spent()
    browse(address)
    print(f"memory of the server: {server.memory_info().rss / 2**20:.0f} MiB")


def browse(address: str) -> None:
    """The longest tasks of the page's thread."""
    from playwright.sync_api import sync_playwright

    executable = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    if executable is None:
        print("no Chromium: the page is not measured")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(bypass_csp=True)  # for the functions that wait
        page.add_init_script(
            "window.busy = []; new PerformanceObserver((list) => list.getEntries().forEach((each) => "
            "window.busy.push(each.duration))).observe({type: 'longtask', buffered: true});"
        )
        page.goto(address)
        page.wait_for_function("/^[1-9]\\d+ of/.test(document.getElementById('count').textContent)", timeout=120_000)

        def longest(what: str, act: Any) -> None:
            page.evaluate("window.busy = []")
            act()
            page.wait_for_timeout(3000)
            found = page.evaluate("window.busy")
            print(f"page, {what}: longest task {max(found, default=0):.0f} ms (tasks below 50 ms are not told)")

        page.wait_for_timeout(3000)
        loaded = page.evaluate("window.busy")
        print(f"page, loading: longest task {max(loaded, default=0):.0f} ms")
        longest("three refreshes", lambda: page.wait_for_timeout(6000))
        longest("sorting", lambda: page.locator("#run-table thead button").nth(2).click())
        longest("searching", lambda: page.get_by_label("Search").fill("lstm seed=7"))
        longest("the next page", lambda: (page.get_by_label("Search").fill(""), page.locator("#next").click()))
        browser.close()


if __name__ == "__main__":
    main()
