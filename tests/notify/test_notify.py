"""Messages about a sweep, received by an HTTP server on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tracked import TrackedSweep

from ddrsa.errors import ConfigError
from ddrsa.follow.look import SweepLook
from ddrsa.notify import consumer
from ddrsa.notify.addresses import open_addresses, read_addresses, refuse_addresses, variables
from ddrsa.notify.consumer import NotifyConsumer, NotifyError, make
from ddrsa.rundir.states import State

pytest.importorskip("apprise")
PASSWORD = "geheim99"


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """The messages that the server of the address in DDRSA_NOTIFY got."""
    messages: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DDRSA_NOTIFY", f"json://user:{PASSWORD}@127.0.0.1:{server.server_port}/hook")
        yield messages
        server.shutdown()


def test_half_the_first_failure_and_the_end(
    tmp_path: Path, received: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "SETTLED_SECONDS", 0.0)
    sweep = TrackedSweep(tmp_path / "of" / "sweep")
    options = {"variables": variables(["env"]), "expected": 4, "began": time.time() - 5}
    notify, look = make(sweep.directory, options, lambda _: None), SweepLook(sweep.directory)

    def see(*, ended: bool = False) -> list[str]:
        before = len(received)
        notify.see(look, look.look(ended=ended), ended=ended)
        return [message["title"] for message in received[before:]]

    runs = [sweep.begin(seed) for seed in range(4)]
    assert see() == []
    sweep.complete(runs[0])
    assert see() == []
    runs[1].end(State.FAILED, f"ValueError: no route to http://me:{PASSWORD}@host/x")
    assert see() == ["of/sweep: a run has failed", "of/sweep: half done"]
    sweep.complete(runs[2])
    runs[3].end(State.KILLED, "killed by SIGKILL")
    best = {"dataset": "-", "model": "-", "values": {"x": 2}, "metric": "loss", "selected": {"mean": 0.12345}}
    (sweep.directory / "best.yaml").write_text(yaml.safe_dump([best, {**best, "dataset": "azure_pm", "model": "gru"}]))
    assert see() == []
    assert see(ended=True) == ["of/sweep: 2 of 4 runs failed"]
    text = received[-1]["message"]
    assert "2 completed, 1 failed, 1 killed" in text
    assert "\nbest: x=2, loss 0.1235\nbest of azure_pm: gru x=2, loss 0.1235\n" in text
    assert "seed=3: killed: killed by SIGKILL" in text
    assert str(sweep.directory) in text
    assert PASSWORD not in json.dumps(received)


def test_what_had_ended_before_is_no_news(tmp_path: Path, received: list[dict[str, Any]]) -> None:
    sweep = TrackedSweep(tmp_path)
    sweep.begin(0).end(State.FAILED, "no")
    told = NotifyConsumer(lambda *_: pytest.fail("there is nothing to tell"), 2, time.time() + 60)
    look = SweepLook(tmp_path)
    told.see(look, look.look(), ended=False)
    assert received == []


def test_an_interrupted_sweep_says_how_to_go_on(tmp_path: Path) -> None:
    sweep = TrackedSweep(tmp_path)
    sweep.complete(sweep.begin(0))
    sweep.begin(1).end(State.INTERRUPTED, "the sweep was ended by SIGINT")
    texts: list[str] = []

    def send(title: str, text: str) -> bool:
        texts.append(f"{title}\n{text}")
        return True

    told = NotifyConsumer(send, 3, time.time())
    look = SweepLook(tmp_path)
    told.see(look, look.look(ended=True), ended=True)
    assert f"{tmp_path.parent.name}/{tmp_path.name}: interrupted" in texts[0]
    assert "1 not done" in texts[0]
    assert f"to go on: ddrsa resume {tmp_path}" in texts[0]


def test_a_receiver_that_is_away_is_an_error_without_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDRSA_NOTIFY", f"json://user:{PASSWORD}@127.0.0.1:9/hook")
    TrackedSweep(tmp_path).begin(0)
    notify = make(tmp_path, {"variables": ["DDRSA_NOTIFY"], "expected": 1, "began": 0.0}, lambda _: None)
    look = SweepLook(tmp_path)
    with pytest.raises(NotifyError) as error:
        notify.see(look, look.look(ended=True), ended=True)
    assert "127.0.0.1" not in str(error.value)


def test_an_address_is_never_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", "json://127.0.0.1 json://127.0.0.2")
    monkeypatch.delenv("DDRSA_NOTIFY", raising=False)
    assert variables(["env", "TEAM", "TEAM"]) == ["DDRSA_NOTIFY", "TEAM"]
    assert variables("env") == ["DDRSA_NOTIFY"]
    assert len(read_addresses(["TEAM"])) == 2
    address = f"mailto://me:{PASSWORD}@gmail.com"
    for call in (lambda: variables([address]), lambda: refuse_addresses(["-m", f"notify=['{address}']"])):
        with pytest.raises(ConfigError, match="names of variables") as error:
            call()
        assert PASSWORD not in str(error.value)
    with pytest.raises(ConfigError, match="the environment has no DDRSA_NOTIFY"):
        open_addresses(["DDRSA_NOTIFY"])


@pytest.mark.parametrize(("address", "kind"), [(f"nonsense://me:{PASSWORD}@x", "nonsense://"), (PASSWORD, "without")])
def test_an_address_that_is_none(
    address: str, kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DDRSA_NOTIFY", address)
    with pytest.raises(ConfigError, match=kind) as error:
        open_addresses(["DDRSA_NOTIFY"])
    assert PASSWORD not in str(error.value) + "".join(capfd.readouterr())
