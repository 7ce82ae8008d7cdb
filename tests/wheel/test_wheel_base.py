"""The wheel alone: it launches the tasks of others, and names the extra that anything else needs."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from wheel_environments import ROOT, Installed, build, content

pytestmark = pytest.mark.wheel

APP = """\
import os, signal
from pathlib import Path
import hydra

@hydra.main(version_base="1.3", config_path=".", config_name="app")
def main(config):
    starts = Path(f"starts_{config.x}")
    with starts.open("a") as file:
        file.write("start\\n")
    if config.x == 2 and len(starts.read_text().split()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    main()
"""

ROOMS = """\
import importlib, pkgutil, sys
names = ["ddrsa.cli", "ddrsa.task", "ddrsa.commands.train", "ddrsa.commands.analyze"]
for room in ("ddrsa.sweep", "ddrsa.scripts", "ddrsa.rundir"):
    path = importlib.import_module(room).__path__
    names += [module.name for module in pkgutil.walk_packages(path, f"{room}.")]
for name in names:
    importlib.import_module(name)
print(len(names), sorted({"torch", "pandas", "scipy", "matplotlib", "sklearn"} & set(sys.modules)))
"""


def test_the_source_distribution_builds_the_same(wheel: Path, tmp_path: Path) -> None:
    # Without an option, `build` makes the wheel of the source distribution.
    assert content(build(ROOT, tmp_path)) == content(wheel)


def test_the_wheel_has_all_that_it_needs(wheel: Path) -> None:
    names = content(wheel).keys()
    for path in ROOT.joinpath("conf").rglob("*.yaml"):
        assert f"ddrsa/{path.relative_to(ROOT)}" in names
    for package in ("ddrsa", "hydra_plugins"):
        files = (path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        assert {str(path.relative_to(ROOT)) for path in files} <= names
    assert "ddrsa/py.typed" in names
    assert {name.partition("/")[0] for name in names} == {
        "ddrsa",
        "hydra_plugins",
        f"ddrsa-{version('ddrsa')}.dist-info",
    }


def test_a_hydra_app_that_does_not_know_it(base: Installed) -> None:
    (base.folder / "app.py").write_text(APP)
    (base.folder / "app.yaml").write_text("x: 0\n")
    command = ["python", "app.py", "-m", "hydra/launcher=supervised", "x=1,2,3", "hydra.launcher.retries=1"]
    command += ["hydra.sweep.dir=sweep"]
    assert "x=2: killed by SIGKILL" in base.output(*command)
    starts = {path.name: path.read_text() for path in base.folder.glob("starts_*")}
    assert starts == {"starts_1": "start\n", "starts_2": "start\n" * 2, "starts_3": "start\n"}
    assert "3 runs: 3 completed" in base.output(*command)
    assert starts == {path.name: path.read_text() for path in base.folder.glob("starts_*")}


def test_what_launches_imports_without_extras(base: Installed) -> None:
    count, loaded = base.output("python", "-c", ROOMS).split(" ", 1)
    assert int(count) > 50
    assert loaded == "[]\n"


@pytest.mark.parametrize(
    "command",
    [
        "ddrsa train",
        "ddrsa train -m model=lstm,gru",
        "ddrsa predict checkpoint=run",
        "ddrsa visualize run",
        "ddrsa describe",
        "ddrsa download turbofan",
        "ddrsa simulate fleet",
        "python -m ddrsa.predict checkpoint=run",
        "python -m ddrsa.visualize run",
        "python -m ddrsa.data.describe",
        "python -m ddrsa.data.download turbofan",
        "python -m ddrsa.data.simulate fleet",
    ],
)
def test_a_missing_extra_is_named_in_one_line(base: Installed, command: str) -> None:
    done = base.run(*command.split())
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith("which is not installed: pip install 'ddrsa[models]'\n")
    assert not (base.folder / "multirun").exists()


def test_an_analysis_needs_its_extra(base: Installed) -> None:
    (base.folder / "logs" / "run").mkdir(parents=True)
    (base.folder / "logs" / "run" / "status.json").write_text("{}")
    done = base.run("ddrsa", "analyze", "hydra.sweep.dir=.")
    assert done.returncode == 2
    assert done.stderr == ("error: ddrsa analyze needs pandas, which is not installed: pip install 'ddrsa[analysis]'\n")
    done = base.run("python", "-c", "import ddrsa; ddrsa.read_sweep('.')")
    assert done.stderr.endswith("pip install 'ddrsa[analysis]'\n")


def test_the_command_itself(base: Installed) -> None:
    assert base.output("ddrsa", "--version") == f"ddrsa {version('ddrsa')}\n"
    assert "\n  analyze " in base.output("ddrsa", "--help")
    assert "  ddrsa train -m experiment=full_grid\n" in base.output("ddrsa", "--list")
    done = base.run("ddrsa", "trian")
    assert (done.returncode, done.stderr) == (2, "error: ddrsa has no subcommand 'trian': did you mean 'train'?\n")
    assert base.run("ddrsa", "best", "nowhere").returncode == 2


def test_the_lowest_hydra(lowest: Installed) -> None:
    assert lowest.output("python", "-c", "import hydra; print(hydra.__version__)") == "1.3.2\n"
    assert "all 11 checks passed" in lowest.output("ddrsa", "verify")
