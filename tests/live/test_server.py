"""The server of the live page: who gets in, what it gives away, how it begins and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from analysis_runs import metrics, run_maker
from serving import ROOT, Served, served, start_serving

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sweeps; one of them has a manifest that leads elsewhere, and links."""
    root = tmp_path_factory.mktemp("served") / "multirun"
    good, bad, outside = root / "good", root / "bad", root.parent / "outside"
    for path in (good, bad, outside):
        path.mkdir(parents=True)
    make = run_maker(good)
    make("gru", result=metrics(3, 4, 0.9), seed=0)
    failed = make("gru", state="failed", error=f"ValueError: {EVIL}", seed=1)
    failed.log.write_text(f"\x1b[31mred\x1b[0m\n10 %\r99 %\n{EVIL}\n")
    (good / "multirun.yaml").write_text("hydra: {}\n")
    (outside / "run.log").write_text("a secret\n")
    (outside / "status.json").write_text(json.dumps({"schema_version": 1, "state": "completed", "run_id": "0"}))
    (outside / ".hydra").mkdir()
    (outside / ".hydra" / "config.yaml").write_text("x: 1\n")
    (bad / "linked").symlink_to(outside, target_is_directory=True)
    for name in ("loglink", "fifo"):
        (bad / name / ".hydra").mkdir(parents=True)
        (bad / name / ".hydra" / "config.yaml").write_text("x: 1\n")
    (bad / "loglink" / "run.log").symlink_to(outside / "run.log")
    os.mkfifo(bad / "fifo" / "run.log")
    runs = [
        {"directory": name, "overrides": [f"x={name}"], "config": {"x": 1}, "values": {"x": name}}
        for name in ("../../outside", str(outside), "linked", "loglink", "fifo")
    ]
    (bad / "experiment_manifest.json").write_text(json.dumps({"schema_version": 1, "runs": runs}))
    return root


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    with served(folder) as found:
        yield found


def test_it_lists_the_sweeps_and_their_runs(server: Served) -> None:
    found = server.api("sweeps")
    assert {each["name"]: each["counts"] for each in found["sweeps"]}["good"] == [["completed", 1], ["failed", 1]]
    sweep = server.api("sweep", sweep=server.id_of("good"))
    assert [cells["state"] for _, cells in sweep["rows"]] == ["completed", "failed"]
    assert [cells.get("value:seed") for _, cells in sweep["rows"]] == [None, None]  # Hydra's overrides are not there
    again = server.api(
        "sweep", sweep=server.id_of("good"), since=sweep["version"], generation=sweep["generation"],
        instance=sweep["instance"],
    )  # fmt: skip
    assert (again["rows"], again["whole"]) == ([], False)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_it_can_only_be_read(server: Served, method: str) -> None:
    assert server.ask("/api/sweeps", method)[0] == 405


@pytest.mark.parametrize("path", ["/", "/static/main.js", "/api/sweeps", "/api/nothing"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8787", "127.0.0.1.evil.example", "", "[::1].evil"])
def test_another_name_is_refused(server: Served, host: str, path: str) -> None:
    assert server.ask(path, headers={"Host": host})[0] == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9000", "[::1]:9000", "10.1.2.3", socket.gethostname()])
def test_names_of_this_machine_are_let_in(server: Served, host: str) -> None:
    assert server.ask("/api/sweeps", headers={"Host": host})[0] == 200


@pytest.mark.parametrize("path", ["/", "/api/sweeps", "/static/main.js", "/nothing"])
def test_the_browser_is_told_to_load_nothing_else(server: Served, path: str) -> None:
    _, headers, _ = server.ask(path)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../command.py", "/static/%2e%2e/command.py", "/static/..%2fcommand.py", "/static//etc/passwd",
        "/plots/..%2f..%2fgood%2fmultirun.yaml?sweep=SWEEP", "/api/sweep?sweep=..%2fgood", "/api/sweep?sweep=",
        "/api/run?sweep=SWEEP&run=99", "/api/run?sweep=SWEEP&run=-1", "/api/run?sweep=SWEEP&run=x",
        "/api/run?sweep=SWEEP&run=99999999999999999999999",
    ],
)  # fmt: skip
def test_no_address_leads_to_another_file(server: Served, path: str) -> None:
    status, _, text = server.ask(path.replace("SWEEP", server.id_of("good")))
    assert status == 404, text


def test_a_manifest_and_links_lead_nowhere(server: Served) -> None:
    key = server.id_of("bad")
    sweep = server.api("sweep", sweep=key)
    assert [cells["run"] for _, cells in sweep["rows"]] == ["x=linked", "x=loglink", "x=fifo"]
    assert any("lies outside" in note or "leads elsewhere" in note for note in sweep["progress"]["notes"])
    everything = json.dumps([server.api("run", sweep=key, run=number) for number in range(3)])
    everything += json.dumps(server.api("curves", sweep=key, runs="0,1,2"))
    assert "a secret" not in everything
    assert "not followed" in server.api("run", sweep=key, run=0)["notes"][0]
    assert server.api("run", sweep=key, run=1)["logs"] == []
    assert "run.log cannot be read" in server.api("run", sweep=key, run=2)["notes"][0]


def test_a_log_is_text_without_colours(server: Served) -> None:
    run = server.api("run", sweep=server.id_of("good"), run=1)
    assert [log["text"] for log in run["logs"]] == [f"red\n99 %\n{EVIL}"]
    assert run["facts"]["reason"] == f"ValueError: {EVIL}"


def test_a_token(folder: Path) -> None:
    with served(folder, "--host", "0.0.0.0") as server:
        assert len(server.token) >= 32
        for wrong in ("", "?token=", "?token=x", f"?token={server.token}x", f"?token={server.token}&token=x"):
            assert server.ask(f"/api/sweeps{wrong}")[0] == 403, wrong
            assert server.ask(f"/{wrong}")[0] == 403
        assert server.ask(f"/api/sweeps?token={server.token}")[0] == 200
        assert server.ask(f"/?token={server.token}")[0] == 200
        assert server.ask("/static/main.js")[0] == 200
        assert server.ask(f"/api/sweeps?token={server.token}", headers={"Host": "evil.example"})[0] == 421
    with served(folder, "--token") as server:
        assert server.ask("/api/sweeps")[0] == 403
    with served(folder, "--allow-host", "proxy.example") as server:
        assert server.ask("/api/sweeps", headers={"Host": "proxy.example"})[0] == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_without_a_word(folder: Path, number: int) -> None:
    with served(folder) as server:
        server.api("sweeps")
        code, errors = server.end(number)
    assert errors == ""
    assert code == (0 if number == signal.SIGINT else 128 + signal.SIGTERM)


def ended(*arguments: str) -> tuple[int, str, str]:
    process = start_serving(*arguments)
    said, errors = process.communicate(timeout=100)
    return process.returncode, said, errors


def test_what_cannot_be_used_is_one_line(folder: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, errors = ended(str(folder), "--port", str(port))
    assert (code, errors.count("\n")) == (2, 1)
    assert f"port {port} of 127.0.0.1 is taken" in errors
    for given, words in [
        ((str(tmp_path / "none"),), "there is no such directory"),
        ((str(folder), "--port", "70000"), "allowed are 0 to 65535"),
        ((str(folder), "--host", "203.0.113.7"), "203.0.113.7"),
        ((str(folder), "--host", "no such host"), "no such host"),
    ]:
        code, _, errors = ended(*given)
        assert (code, errors.count("\n")) == (2, 1), errors
        assert words in errors


def test_a_folder_without_a_sweep_is_said_and_looked_at_again(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        assert f"there is no sweep in {tmp_path} yet" in server.said[0]
        found = server.api("sweeps")
        assert (found["sweeps"], found["single"]) == ([], False)


def test_a_missing_extra_is_named() -> None:
    program = "import sys; sys.modules['uvicorn'] = None; sys.argv = ['ddrsa', 'serve']\n"
    program += "import ddrsa.__main__ as command; sys.exit(command.main())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr == "error: ddrsa serve needs uvicorn, which is not installed: pip install 'ddrsa[live]'\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_analysis_ends_with_the_server(folder: Path, number: int) -> None:
    with served(folder) as server:
        me = psutil.Process(server.process.pid)
        while not (children := me.children()):
            server.api("sweep", sweep=server.id_of("good"))
        server.end(number)
        _, alive = psutil.wait_procs(children, timeout=60)
        assert alive == []
