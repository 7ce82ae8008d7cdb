"""The screenshots of the docs: python docs/screenshots.py (minutes; needs Chromium and the extra `dev`).

A small sweep is started; docs/images/live.png is `ddrsa serve` while it runs, docs/images/report.png its report.html.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
SWEEP = [
    *("seed=0,1,2,3,4,5,6,7", "model=gru,tcn", "learning_rate=0.003,0.01", "experiment=quick"),
    *("dataset.num_units=40", "num_epochs=24", "device=cpu", "hydra.launcher.n_jobs=2"),
]
# Of so many runs; the picture is taken while they go on, when the answer has an interval.
RUNS = 32
PATIENCE = 30 * 60_000


def main() -> None:
    """Take both."""
    executable = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    with tempfile.TemporaryDirectory() as created, sync_playwright() as playwright:
        temporary = Path(created)
        # Relative, and by the installed command: no path of this machine is in a picture.
        sweep = Path("multirun") / "rates"
        (temporary / sweep).mkdir(parents=True)
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        train = [sys.executable, "-m", "ddrsa", "train", "-m", *SWEEP, f"hydra.sweep.dir={sweep}"]
        serve = [sys.executable, "-m", "ddrsa", "serve", str(sweep), "--port", "0"]
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        with (
            subprocess.Popen(train, cwd=temporary, env=environ) as training,
            subprocess.Popen(serve, cwd=temporary, env=environ, stdout=subprocess.PIPE, text=True) as server,
        ):
            try:
                assert server.stdout is not None
                address = next(found[0] for line in server.stdout if (found := re.search(r"http://\S+/", line)))
                live(browser, address, training)
                if training.wait():
                    raise SystemExit(f"the sweep ended with exit code {training.returncode}")
                analyze = [sys.executable, "-m", "ddrsa", "analyze", f"hydra.sweep.dir={sweep}"]
                subprocess.run(analyze, cwd=temporary, env=environ, check=True)
                picture(browser, (temporary / sweep / "report.html").as_uri(), "report.png")
            finally:
                server.terminate()
                training.terminate()
        browser.close()


def live(browser: Browser, address: str, training: subprocess.Popen[bytes]) -> None:
    """The page while runs are under way and an answer is there."""
    page = browser.new_page(viewport={"width": 1100, "height": 1250}, color_scheme="light")
    while True:
        page.goto(address)
        try:
            expect(page.locator("#count")).to_contain_text(f"of {RUNS} runs", timeout=10_000)
            break
        except AssertionError:
            continue  # it has not begun yet
    while "interval that holds at every look" not in page.locator("#answers").inner_text():
        if training.poll() is not None:
            raise SystemExit("the sweep has ended before its answer had an interval: give it more seeds")
        page.wait_for_timeout(500)
    expect(page.locator("#running-list")).to_contain_text("epoch", timeout=PATIENCE)
    expect(page.locator("#chart path.curve").first).to_be_visible(timeout=PATIENCE)
    page.screenshot(path=IMAGES / "live.png")
    page.close()


def picture(browser: Browser, address: str, name: str) -> None:
    """The top of a page."""
    page = browser.new_page(viewport={"width": 1100, "height": 1000}, color_scheme="light")
    page.goto(address)
    page.screenshot(path=IMAGES / name)
    page.close()


if __name__ == "__main__":
    main()
