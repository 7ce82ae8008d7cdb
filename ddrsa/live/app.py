"""The application of the live page: its addresses, and what they answer. It reads, and nothing else."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import ddrsa.analysis
from ddrsa.analysis.criterion import Choice
from ddrsa.live.answer import PresentAnswer
from ddrsa.live.curves import MOST_RUNS, Curves, answer_for
from ddrsa.live.folder import Folder
from ddrsa.live.guard import IMAGE_POLICY, Guard
from ddrsa.live.inside import has_links
from ddrsa.live.logs import end_of, logs_of
from ddrsa.live.machine import Machine
from ddrsa.live.progress import now, progress_of
from ddrsa.live.sweep import LiveRun, LiveSweep
from ddrsa.texts import printable

STATIC = Path(__file__).parent / "static"
# The table and the look of report.html are those of this page too.
SHARED = Path(ddrsa.analysis.__file__).parent / "report" / "templates"
_NO_CHOICE = Choice()
_SHARED_FILES = ("table.js", "report.css")


class Live:
    """What the server knows of the sweeps beneath a folder. choice: by what the present answer says which is best."""

    def __init__(self, root: Path, choice: Choice = _NO_CHOICE) -> None:
        self.choice = choice
        self.folder = Folder(root)
        self.machine = Machine(root)
        self.curves = Curves()
        self.instance = secrets.token_hex(4)  # a page that was open before a restart begins anew
        self._out = tempfile.TemporaryDirectory(prefix="ddrsa-live-")
        self._answers: dict[str, PresentAnswer] = {}
        self._lock = threading.Lock()

    def answer_of(self, key: str, sweep: LiveSweep) -> PresentAnswer:
        """The present answer of a sweep."""
        with self._lock:
            if key not in self._answers:
                self._answers[key] = PresentAnswer(sweep.directory, Path(self._out.name) / key, self.choice)
            return self._answers[key]

    def close(self) -> None:
        """End what was started, and remove what was written."""
        for answer in self._answers.values():
            answer.close()
        self._out.cleanup()

    # What follows answers requests; each is called in a thread of the server's pool.

    def sweeps(self, _: Request) -> Response:
        """All sweeps with their progress."""
        found = self.folder.sweeps()
        listed = []
        for key, sweep in found.items():
            with sweep.lock:
                sweep.look()
                listed.append({"id": key, "name": printable(self.folder.name(sweep)), **progress_of(sweep)})
        return JSONResponse(
            {
                "instance": self.instance,
                "root": printable(self.folder.root),
                "single": len(found) == 1 and next(iter(found.values())).directory == self.folder.root,
                "sweeps": listed,
                "notes": self.folder.notes(),
                "at": now(),
            }
        )

    def sweep(self, request: Request) -> Response:
        """One sweep: what has changed since the version that the page has."""
        key, sweep = self._sweep(request)
        since, generation = (_number(request, name) for name in ("since", "generation"))
        known_answer = _number(request, "answer")
        same = request.query_params.get("instance") == self.instance
        answer = self.answer_of(key, sweep)
        with sweep.lock:
            sweep.look()
            progress = progress_of(sweep)
            whole = not same or generation != sweep.generation
            ends = sweep.ends()
            content = {
                "instance": self.instance,
                "name": printable(self.folder.name(sweep)),
                "directory": printable(sweep.directory.absolute()),
                "version": sweep.version,
                "generation": sweep.generation,
                "whole": whole,
                "count": len(sweep.runs),
                "rows": sweep.changed_since(-1 if whole else since),
                "columns": sweep.columns.listed(sweep.plan.shown) if whole else None,
                "progress": progress,
                "machine": self.machine.look(),
                "at": now(),
            }
        if ends.done and not progress["unread"]:
            answer.renew(ends, ended=progress["state"] != "running")
        known = same and known_answer == answer.version
        content["answer"] = None if known else {"version": answer.version, **answer.content}
        content["answering"] = answer.is_under_way
        return JSONResponse(content)

    def curves_of(self, request: Request) -> Response:
        """The curves of some runs, by their numbers."""
        _, sweep = self._sweep(request)
        numbers = [int(text) for text in request.query_params.get("runs", "").split(",") if text.isdecimal()]
        with sweep.lock:
            runs = {number: sweep.runs[number] for number in numbers[:MOST_RUNS] if number < len(sweep.runs)}
            found = {
                number: answer_for(self.curves, run.view.directory)
                for number, run in runs.items()
                if not has_links(sweep.directory, run.view.directory)
            }
        return JSONResponse({"runs": found})

    def run(self, request: Request) -> Response:
        """One run: its status, its curves and the end of its log."""
        _, sweep = self._sweep(request)
        number = _number(request, "run")
        with sweep.lock:
            if not 0 <= number < len(sweep.runs):
                return PlainTextResponse("there is no such run\n", 404)
            run = sweep.runs[number]
            return JSONResponse(self._described(sweep, run))

    def _described(self, sweep: LiveSweep, run: LiveRun) -> dict[str, Any]:
        view = run.view
        facts = {"state": view.state.words, "reason": view.reason, "attempt": view.attempt or None}
        facts |= {name: view.status.get(name) for name in ("trial", "device", "gpu_index", "hostname", "pid")}
        facts |= {name: view.status.get(name) for name in ("started_at", "ended_at", "updated_at", "return_value")}
        described: dict[str, Any] = {
            "name": printable(view.name),
            "directory": printable(view.directory.absolute()),
            "facts": {name: printable(value) for name, value in facts.items() if value is not None},
            "values": {printable(key): printable(value) for key, value in run.values.items()},
            "metrics": {printable(name): value for name, value in run.metrics.items() if value == value},
            "notes": [printable(note) for note in run.notes],
            "logs": [],
            "curves": {},
        }
        if has_links(sweep.directory, view.directory):
            described["notes"].append("its directory lies behind a link, which is not followed")
            return described
        curves = answer_for(self.curves, view.directory)
        described["curves"] = curves["curves"]
        described["notes"] += curves["notes"]
        for log in logs_of(view.directory):
            try:
                described["logs"].append({"path": printable(log.absolute()), "text": end_of(log)})
            except OSError as error:
                described["notes"].append(printable(f"{log.name} cannot be read: {error.strerror or error}"))
        return described

    def plot(self, request: Request) -> Response:
        """A plot of the present answer."""
        key, sweep = self._sweep(request)
        image = self.answer_of(key, sweep).images.get(request.path_params["name"])
        if image is None:
            return PlainTextResponse("there is no such plot\n", 404)
        return Response(image[1], media_type=image[0], headers={"Content-Security-Policy": IMAGE_POLICY})

    def _sweep(self, request: Request) -> tuple[str, LiveSweep]:
        key = request.query_params.get("sweep", "")
        found = self.folder.sweeps()
        if key not in found:
            raise NoSuchSweepError
        return key, found[key]


class NoSuchSweepError(Exception):
    """An id that is none of a sweep, or no longer one."""


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 19 else -1


def make_app(live: Live, names: frozenset[str], token: str | None) -> Starlette:
    """The application. names, token: see `Guard`."""
    shared = [Route(f"/static/{name}", _file(SHARED / name), name=name) for name in _SHARED_FILES]
    routes = [
        Route("/", _file(STATIC / "index.html")),
        Route("/api/sweeps", live.sweeps),
        Route("/api/sweep", live.sweep),
        Route("/api/curves", live.curves_of),
        Route("/api/run", live.run),
        Route("/plots/{name}", live.plot),
        *shared,
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, names=names, token=token), Middleware(GZipMiddleware, minimum_size=1000)],
        exception_handlers={NoSuchSweepError: _no_such_sweep},
    )


def _file(path: Path) -> Callable[[Request], Response]:
    def answer(_: Request) -> Response:
        return FileResponse(path, headers={"Cache-Control": "no-cache"})

    return answer


def _no_such_sweep(_: Request, __: Exception) -> Response:
    return PlainTextResponse("there is no such sweep\n", 404)
