from __future__ import annotations

import gzip
import hashlib
import io
import socket
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import requests

from ddrsa.data.download import main
from ddrsa.data.public.catalogue import PUBLIC_DATA, Origin, PublicData
from ddrsa.data.public.resuming import ResumingDownloader

CONTENT = {
    "a.csv": np.random.default_rng(0).bytes(700_000),
    "b.csv": b"x,y\n1,2\n",
}
HASHES = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


def _zip(contents: Mapping[str, bytes], inside: str | None = None) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in contents.items():
            archive.writestr(f"some folder/{name}", content)
    return stream.getvalue() if inside is None else _zip({inside: stream.getvalue()})


class _Server(ThreadingHTTPServer):
    """A server of `contents`; it breaks off after `break_after` bytes, then after `next_break`."""

    contents: dict[str, bytes]
    requests: list[tuple[str, str | None]]  # each path with its Range
    ranges: bool
    break_after: int | None
    next_break: int | None
    url: str


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        content = server.contents.get(self.path)
        if content is None:
            self.send_error(404)
            return
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        start = 0
        asked = self.headers.get("Range")
        if asked and server.ranges and self.headers.get("If-Range") == etag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content)
        if server.break_after and end - start > server.break_after:
            end = start + server.break_after
        self.wfile.write(content[start:end])
        if end < len(content):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            server.break_after, server.next_break = server.next_break, None

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.contents, server.requests, server.ranges, server.break_after, server.next_break = {}, [], True, None, None
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _run(tmp_path: Path, origins: Iterable[Origin], *arguments: str, hashes: Mapping[str, str] = HASHES) -> int:
    data = {"toys": PublicData(dict(hashes), tuple(origins), "Ask the shop.")}
    return main(["toys", "--data-dir", str(tmp_path), *arguments], data, pause=0)


def _files(tmp_path: Path) -> dict[str, bytes]:
    folder = tmp_path / "toys"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_from_a_folder_of_the_server(server: _Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.contents = {f"/toys/{name}": content for name, content in CONTENT.items()}
    assert _run(tmp_path, [Origin(base=f"{server.url}/toys/")]) == 0
    assert _files(tmp_path) == CONTENT
    assert "2 files, all with the published checksum" in capsys.readouterr().out
    server.requests.clear()
    assert _run(tmp_path, [Origin(base=f"{server.url}/toys/")]) == 0
    assert not server.requests
    assert "all 2 files are there" in capsys.readouterr().out


@pytest.mark.parametrize("inside", [None, "Inner.ZIP"])
def test_an_archive_also_in_an_archive(server: _Server, tmp_path: Path, inside: str | None) -> None:
    server.contents = {"/toys.zip": _zip({**CONTENT, "readme.txt": b"hello"}, inside)}
    assert _run(tmp_path, [Origin(f"{server.url}/toys.zip")]) == 0
    assert _files(tmp_path) == CONTENT


def test_a_broken_connection_is_gone_on_with(server: _Server, tmp_path: Path) -> None:
    server.contents = {f"/{name}": content for name, content in CONTENT.items()}
    server.break_after, server.next_break = 300_000, 200_000
    assert _run(tmp_path, [Origin(base=f"{server.url}/")]) == 0
    assert _files(tmp_path) == CONTENT
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for path, asked in server.requests[1:] if asked]
    assert len(starts) == 2
    assert 0 < starts[0] <= 300_000
    assert starts[0] < starts[1] <= 500_000


def test_the_next_start_goes_on_where_an_earlier_one_broke_off(server: _Server, tmp_path: Path) -> None:
    server.contents = {f"/{name}": content for name, content in CONTENT.items()}
    partial = tmp_path / "toys" / ".download" / "0" / "a.csv.partial"
    partial.parent.mkdir(parents=True)
    server.break_after = 400_000
    downloader = ResumingDownloader(partial, pause=0)
    with pytest.raises(requests.RequestException):
        downloader._fetch_rest(f"{server.url}/a.csv")  # one attempt, as if it was killed then
    have = partial.stat().st_size
    assert have > 0
    assert _run(tmp_path, [Origin(base=f"{server.url}/")]) == 0
    assert _files(tmp_path) == CONTENT
    assert server.requests[1] == ("/a.csv", f"bytes={have}-")


@pytest.mark.parametrize("how", ["no ranges", "changed", "longer"])
def test_it_begins_anew_where_it_cannot_go_on(server: _Server, tmp_path: Path, how: str) -> None:
    partial = tmp_path / "a.partial"
    server.contents = {"/a": CONTENT["a.csv"]}
    server.break_after = 400_000
    downloader = ResumingDownloader(partial, pause=0)
    with pytest.raises(requests.RequestException):
        downloader._fetch_rest(f"{server.url}/a")
    expected = CONTENT["a.csv"]
    if how == "no ranges":
        server.ranges = False
    elif how == "changed":
        expected = server.contents["/a"] = CONTENT["a.csv"][::-1]
    else:
        partial.write_bytes(CONTENT["a.csv"] * 2)
    downloader(f"{server.url}/a", str(tmp_path / "a"), None)
    assert (tmp_path / "a").read_bytes() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_next_place_is_tried(server: _Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.contents = {
        "/page.zip": b"<html>please log in</html>",
        "/other.zip": _zip({**CONTENT, "b.csv": b"x,y\n1,3\n"}),
        "/part.zip": _zip({"a.csv": CONTENT["a.csv"]}),
        "/good.zip": _zip(CONTENT),
    }
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        origins = [
            Origin(base=f"http://127.0.0.1:{unused.getsockname()[1]}/"),
            Origin(f"{server.url}/missing.zip"),
            *(Origin(f"{server.url}/{name}.zip") for name in ("page", "other", "part")),
            Origin(f"{server.url}/good.zip", archive_hash="md5:" + "0" * 32),
            Origin(
                f"{server.url}/good.zip", archive_hash="md5:" + hashlib.md5(server.contents["/good.zip"]).hexdigest()
            ),
        ]
        assert _run(tmp_path, origins) == 0
    assert _files(tmp_path) == CONTENT
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 6
    for line, reason in zip(
        errors,
        [
            "it cannot be reached",
            "the server answers 404",
            "File is not a zip file",
            "b.csv in the archive has another checksum",
            "the archive has no b.csv",
            "does not match the known hash",
        ],
        strict=True,
    ):
        assert reason in line


def test_what_to_do_by_hand(server: _Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.contents = {f"/{name}": b"something else" for name in CONTENT}
    assert _run(tmp_path, [Origin(f"{server.url}/missing.zip"), Origin(base=f"{server.url}/")]) == 1
    assert _files(tmp_path) == {}
    error = capsys.readouterr().err
    assert "error: toys could not be fetched" in error
    assert f"By hand: Ask the shop. Then put a.csv, b.csv into {tmp_path / 'toys'}/" in error


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "toys"
    folder.mkdir()
    (folder / "a.csv.gz").write_bytes(gzip.compress(CONTENT["a.csv"]))
    assert _run(tmp_path, [], "--check") == 1
    assert "missing: b.csv; not as published: none" in capsys.readouterr().out
    (folder / "b.csv").write_bytes(b"mine")
    assert _run(tmp_path, [], "--check") == 1
    assert "missing: none; not as published: b.csv" in capsys.readouterr().out
    (folder / "b.csv").write_bytes(CONTENT["b.csv"])
    assert _run(tmp_path, [], "--check") == 0


def test_a_file_of_the_users_own_is_replaced_only_by_force(
    server: _Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "toys"
    folder.mkdir()
    (folder / "b.csv.gz").write_bytes(gzip.compress(b"mine"))
    server.contents = {"/toys.zip": _zip(CONTENT)}
    assert _run(tmp_path, [Origin(f"{server.url}/toys.zip")]) == 2
    assert "has another b.csv than the published one; --force replaces it" in capsys.readouterr().err
    assert not server.requests
    assert _run(tmp_path, [Origin(f"{server.url}/toys.zip")], "--force") == 0
    assert _files(tmp_path) == CONTENT


def test_the_files_at_hand_are_those_whose_checksums_are_recorded(nasa_dir: Path) -> None:
    checked = 0
    for dataset, public in PUBLIC_DATA.items():
        for name, sha256 in public.files.items():
            path = nasa_dir / dataset / f"{name}.gz"
            if path.is_file() and name != "PdM_telemetry.csv":  # of which only a slice may be at hand
                assert hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() == sha256
                checked += 1
    assert checked
