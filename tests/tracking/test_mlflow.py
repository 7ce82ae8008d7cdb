"""MLflow: its client against a server that remembers what it gets, and against MLflow's own server and its page."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browser import chromium
from serving import Served, served
from tracked import TrackedSweep, tell

from ddrsa.rundir.states import State
from ddrsa.tracking.__main__ import main as export
from ddrsa.tracking.mirror import MirrorOptions
from ddrsa.tracking.mlflow import MlflowOptions, MlflowTracker

pytest.importorskip("mlflow")
ROOT = Path(__file__).parents[2]
SERVER = next(
    (
        str(path)
        for path in (os.environ.get("DDRSA_MLFLOW", ""), ROOT / ".venv-mlflow" / "bin" / "mlflow")
        if path and Path(path).is_file()
    ),
    None,
)
PASSWORD = "geheim99"


class Rest(BaseHTTPRequestHandler):
    """The calls of MLflow's REST interface that a tracker makes, noted as they come."""

    calls: list[tuple[str, dict[str, Any]]]

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].removeprefix("/api/2.0/mlflow/")
        if name == "runs/get":
            self._answer({"run": self._run()})
        else:
            self._answer({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "none"}, 404)

    def do_POST(self) -> None:
        name = self.path.removeprefix("/api/2.0/mlflow/")
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        self.calls.append((name, content))
        answers: dict[str, Any] = {"experiments/create": {"experiment_id": "7"}, "runs/create": {"run": self._run()}}
        self._answer(answers.get(name, {}))

    def _run(self) -> dict[str, Any]:
        count = sum(name == "runs/create" for name, _ in self.calls)
        info = {
            "run_id": f"run{count}",
            "experiment_id": "7",
            "status": "RUNNING",
            "start_time": 1,
            "artifact_uri": "/x",
        }
        return {"info": {**info, "lifecycle_stage": "active"}, "data": {}}

    def _answer(self, content: dict[str, Any], code: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_what_the_client_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = TrackedSweep(tmp_path)
    sweep.complete(sweep.begin(0))
    calls: list[tuple[str, dict[str, Any]]] = []
    handler = type("Handler", (Rest,), {"calls": calls})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:{PASSWORD}@127.0.0.1:{server.server_port}")
        tracker = MlflowTracker(MlflowOptions(experiment="mine"), "ddrsa")
        tell(tracker, tmp_path, ended=True, options=MirrorOptions(artifacts=False, tags={"team": "wind"}))
        server.shutdown()
    assert PASSWORD not in tracker.place
    sent = {name: [content for called, content in calls if called == name] for name, _ in calls}
    assert sent["experiments/create"] == [{"name": "mine"}]
    parent, run = sent["runs/create"]
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert tags["mlflow.parentRunId"] == "run1"
    assert tags["team"] == "wind"
    assert "mlflow.parentRunId" not in {tag["key"] for tag in parent["tags"]}
    batches = [batch for batch in sent["runs/log-batch"] if batch["run_id"] == "run2"]
    params = {each["key"]: each["value"] for batch in batches for each in batch.get("params", [])}
    assert params["seed"] == "0"
    losses = [(metric["step"], metric["value"]) for batch in batches for metric in batch.get("metrics", [])
              if metric["key"] == "epoch/train_loss"]  # fmt: skip
    assert [(int(step), value) for step, value in losses] == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    assert [update["status"] for update in sent["runs/update"]] == ["FINISHED", "FINISHED"]


class Server:
    """MLflow's own server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert SERVER is not None
        store, artifacts = f"sqlite:///{self.folder}/mlflow.db", str(self.folder / "artifacts")
        self.process = subprocess.Popen(
            [SERVER, "server", "--backend-store-uri", store, "--artifacts-destination", artifacts,
             "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 250
        while not self._answers():
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.3)

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, 9)
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if SERVER is None:
        pytest.skip("there is no server of MLflow: make test-mlflow installs one")
    made = Server(tmp_path_factory.mktemp("mlflow"))
    made.start()
    yield made
    made.stop()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_that_goes_away_and_its_page(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    sweep = TrackedSweep(tmp_path / "of" / "sweep")
    run = sweep.begin(0, epochs=2)
    tell(MlflowTracker(MlflowOptions(), "ddrsa"), sweep.directory)
    server.stop()
    sweep.complete(run)
    sweep.begin(1, epochs=1).end(State.FAILED, "ValueError: no")
    sweep.begin(2, epochs=1).end(State.KILLED, "killed by SIGKILL")
    sweep.begin(3, epochs=1).end(State.PRUNED, "after epoch 1")
    assert export([str(sweep.directory), "mlflow", "--tag", "team=wind"]) == 1
    assert "error: mlflow has not been told all" in capsys.readouterr().err
    server.start()
    for _ in range(2):
        assert export([str(sweep.directory), "mlflow", "--tag", "team=wind"]) == 0

    client = MlflowClient(server.uri)
    (experiment,) = [each for each in client.search_experiments() if each.name == "ddrsa"]
    runs = {each.info.run_name: each for each in client.search_runs([experiment.experiment_id])}
    assert {name: each.info.status for name, each in runs.items()} == {
        "of/sweep": "FAILED", "seed=0": "FINISHED", "seed=1": "FAILED", "seed=2": "KILLED", "seed=3": "FINISHED",
    }  # fmt: skip
    assert {each.data.tags.get("mlflow.parentRunId") for name, each in runs.items() if name != "of/sweep"} == {
        runs["of/sweep"].info.run_id
    }
    assert runs["seed=3"].data.tags["ddrsa.state"] == "pruned"
    assert runs["seed=0"].data.params["seed"] == "0"
    assert runs["seed=0"].data.metrics["test/rul_mae"] == 10.5
    history = client.get_metric_history(runs["seed=0"].info.run_id, "epoch/train_loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]
    kept = [each.path for each in client.list_artifacts(runs["seed=0"].info.run_id)]
    assert kept == ["hydra", "test_metrics.json", "training_log.csv"]

    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"{server.uri}/#/experiments/{experiment.experiment_id}/runs", wait_until="domcontentloaded")
        page.get_by_text("of/sweep", exact=True).first.wait_for(timeout=120_000)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_sweep_with_every_tracker_and_a_killed_launcher_ends_as_one_without(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("DDRSA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("DDRSA_NOTIFY", "json://127.0.0.1:9")  # nobody is there
    common = [sys.executable, str(ROOT / "train.py"), "-m", "seed=0,1,2", "experiment=quick", "num_epochs=8"]
    plain, told = tmp_path / "plain", tmp_path / "told"
    subprocess.run([*common, f"hydra.sweep.dir={plain}"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    extra = ["tracking=[mlflow,tensorboard,wandb]", "notify=[env]", "report=true", f"hydra.sweep.dir={told}"]
    with served(tmp_path) as page, looked_at(page) as states:
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen([*common, *extra], cwd=tmp_path, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 400
            while not list(told.glob("logs/*/*/*/checkpoint_last.pt")):
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
        subprocess.run([*common, *extra], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert {"running", "ended"} <= set(states)
    assert outcome(told) == outcome(plain)
    assert (told / "report.html").is_file()
    (experiment,) = {
        json.loads(path.read_text())["options"]["experiment"] for path in told.glob(".tracking/mlflow.json")
    }
    assert experiment is None


@contextmanager
def looked_at(page: Served) -> Iterator[list[str]]:
    """The live page of the folder is open within the block: its states of the sweep `told`, one after another."""
    states: list[str] = []
    over = threading.Event()

    def look() -> None:
        last = False
        while not last:
            last = over.wait(0.5)
            for each in page.api("sweeps")["sweeps"]:
                page.api("sweep", sweep=each["id"])
                page.api("curves", sweep=each["id"], runs="0,1,2")
                if each["name"] == "told":
                    states.append(each["state"])

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            yield states
        finally:
            over.set()
            looking.result()


def outcome(directory: Path) -> dict[str, Any]:
    """The bytes of the curves and the weights of each run, and its metrics but for times."""
    import torch

    found = {}
    for run in sorted(directory.glob("logs/*/*/*")):
        with (run / "training_log.csv").open(newline="") as stream:
            rows = [
                {k: v for k, v in row.items() if k not in ("seconds", "checksum")} for row in csv.DictReader(stream)
            ]
        metrics = json.loads((run / "test_metrics.json").read_text())
        kept = {key: value for key, value in metrics.items() if key not in ("training_time_seconds", "checksum")}
        weights = torch.load(run / "checkpoint_best.pt", weights_only=True)["model"]
        values = {name: tensor.numpy().tobytes() for name, tensor in weights.items()}
        found[run.name] = (rows, kept, values)
    return found
