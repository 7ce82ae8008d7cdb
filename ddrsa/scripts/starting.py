"""How a job is started: by which interpreter, with which words around its script, in which environment."""

from __future__ import annotations

import ast
import functools
import os
import shlex
import shutil
import sys
from pathlib import Path

from ddrsa.errors import ConfigError
from ddrsa.scripts.interface.notebook_reader import PAPERMILL
from ddrsa.scripts.interface.read import NOTEBOOK
from ddrsa.scripts.job import Job
from ddrsa.scripts.options import ARGUMENTS, MODULE, OUTPUT_DIR, PYTHON, SCRIPT, ScriptsOptions, program_of

# The interpreters of programs that are not marked as executable.
_INTERPRETERS = {".sh": "bash", ".bash": "bash", ".r": "Rscript", ".jl": "julia"}
# Each kind of environment has one of these beside its bin/.
_VENV, _CONDA = "pyvenv.cfg", "conda-meta"


def command_template(job: Job, options: ScriptsOptions) -> tuple[str, ...]:
    """The words of a job's command, {args} among them where its arguments go.

    Raises ConfigError where it is not known how to start it, or its program is not installed.
    """
    template = job.command or options.command or _usual_template(job)
    module = job.module or package_module(job.path)[0]
    if MODULE in template and module is None:
        raise ConfigError(f"job {job.id}: its command has {MODULE}, and {job.path} is no module of a package")
    python = python_of(job, options)
    stands_for = {SCRIPT: str(job.path.absolute()), MODULE: module or "", PYTHON: python}
    words = tuple(stands_for.get(word, word) for word in template)
    path = environment_of(job, options).get("PATH", os.environ.get("PATH"))
    if shutil.which(words[0], path=path) is None:
        raise ConfigError(
            f"job {job.id}: {words[0]} is not installed, or cannot be executed; its command is {shlex.join(template)}"
        )
    return words


def python_of(job: Job, options: ScriptsOptions) -> str:
    """The interpreter of a job's Python code."""
    return job.python or (program_of(options.python, Path.cwd()) if options.python else sys.executable)


def environment_of(job: Job, options: ScriptsOptions) -> dict[str, str]:
    """What a job's environment has of its own: that of its interpreter, where its package is found, and `env`.

    With an interpreter of a virtual or conda environment, that environment is the active one: a `python` or `torchrun`
    that the script starts is that of the interpreter.
    """
    python = shutil.which(python_of(job, options)) or python_of(job, options)
    bin_dir = Path(python).absolute().parent
    prefix = bin_dir.parent
    own: dict[str, str] = {}
    for mark, variable in ((_VENV, "VIRTUAL_ENV"), (_CONDA, "CONDA_PREFIX")):
        if (prefix / mark).exists():
            own[variable] = str(prefix)
            own["PATH"] = os.pathsep.join([str(bin_dir), os.environ.get("PATH", os.defpath)])
    _, package_root = package_module(job.path) if job.module is None else (job.module, None)
    if package_root is not None:
        own["PYTHONPATH"] = os.pathsep.join(filter(None, [str(package_root), os.environ.get("PYTHONPATH")]))
    return {**own, **job.environment}


def package_module(path: Path) -> tuple[str | None, Path | None]:
    """The dotted name of a script that imports its neighbours by relative imports, and the folder above its package.

    (None, None) for any other: it is run by its path.
    """
    if path.suffix != ".py" or not _imports_relatively(path):
        return None, None
    folder, parts = path.absolute().parent, [path.stem]
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return (".".join(parts), folder) if len(parts) > 1 else (None, None)


def _usual_template(job: Job) -> tuple[str, ...]:
    suffix = job.path.suffix.lower()
    if job.module is not None or package_module(job.path)[0] is not None:
        return (PYTHON, "-m", MODULE, ARGUMENTS)
    if suffix == ".py":
        return (PYTHON, SCRIPT, ARGUMENTS)
    if suffix == NOTEBOOK:
        return (PYTHON, "-m", PAPERMILL, SCRIPT, f"{OUTPUT_DIR}/{job.path.name}", ARGUMENTS)
    if os.access(job.path, os.X_OK):
        return (SCRIPT, ARGUMENTS)
    shebang = _shebang(job.path)
    if shebang:
        return (*shebang, SCRIPT, ARGUMENTS)
    if suffix in _INTERPRETERS:
        return (_INTERPRETERS[suffix], SCRIPT, ARGUMENTS)
    raise ConfigError(
        f"{job.path} is neither a Python script nor a program that may be executed: "
        f"say how it is started by scripts.command=[PROGRAM,{SCRIPT},{ARGUMENTS}]"
    )


def _shebang(path: Path) -> tuple[str, ...]:
    with path.open("rb") as stream:
        line = stream.readline(256)
    words = line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []
    return tuple(words[1:] if words and words[0].endswith("/env") and len(words) > 1 else words)


@functools.lru_cache(maxsize=4096)
def _imports_relatively(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in ast.walk(tree))
