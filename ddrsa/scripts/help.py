"""The help text of a script, asked of the script itself: `scripts.read_help=true`."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from ddrsa.errors import ConfigError
from ddrsa.scripts.interface.help_reader import options_of_help
from ddrsa.scripts.interface.read import ScriptInterface
from ddrsa.scripts.job import Job
from ddrsa.scripts.options import ARGUMENTS, ScriptsOptions
from ddrsa.scripts.process import execute
from ddrsa.scripts.starting import command_template, environment_of

SECONDS = 60
# A script that trains instead of helping writes no checkpoint.
_LARGEST_FILE = 2**20


def with_help(interface: ScriptInterface, job: Job, options: ScriptsOptions) -> ScriptInterface:
    """`interface` with the options that the script lists by --help; complete where it lists any.

    The script is run for that: in an empty folder that goes at once, without a GPU, with an end after 60 seconds, and
    without writing a file of more than 1 MiB. Raises ConfigError where it prints no help.
    """
    template = command_template(job, options)
    position = template.index(ARGUMENTS)
    line = (*template[:position], "--help", *template[position + 1 :])
    changed = job.path.stat().st_mtime_ns if job.path.exists() else 0
    text = _help(
        line, tuple(sorted(environment_of(job, options).items())), str(job.working_dir or options.directory), changed
    )
    listed = options_of_help(text)
    if not listed:
        last = next((each.strip() for each in reversed(text.splitlines()) if each.strip()), "nothing")
        raise ConfigError(f"scripts.read_help=true: {job.path} --help lists no option; it printed: {last[:200]}")
    # What the source says of an option is more than its help does.
    seen = {name for option in interface.options for name in (*option.names, *option.off_names)}
    added = [option for option in listed if not seen.intersection((*option.names, *option.off_names))]
    return replace(interface, options=(*interface.options, *added), complete=True)


@functools.lru_cache(maxsize=1024)
def _help(line: tuple[str, ...], environment: tuple[tuple[str, str], ...], directory: str, _changed: int) -> str:
    own = dict(environment)
    paths = [directory, own.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))]
    own |= {
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "PAGER": "cat",
    }
    with tempfile.TemporaryDirectory(prefix="ddrsa-help-") as folder:
        output = Path(folder) / "help"
        work = Path(folder) / "work"
        work.mkdir()
        try:
            execute(line, output, work, {**os.environ, **own}, seconds=SECONDS, largest_file=_LARGEST_FILE)
        except subprocess.TimeoutExpired:
            raise ConfigError(f"scripts.read_help=true: {' '.join(line)} did not end within {SECONDS} s") from None
        return output.read_text(errors="replace")
