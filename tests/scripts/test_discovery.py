from __future__ import annotations

from pathlib import Path

import pytest

from ddrsa.errors import ConfigError
from ddrsa.scripts.discovery import find_scripts, job_ids


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        *("a/train_als.py", "a/train_alzheimers.py", "a/heart/train_risk.py", "a/brain/train_risk.py", "a/util.py"),
        *("a/tests/train_x.py", "a/test/train_x.py", "a/heart/test_train_y.py", "a/train_y_test.py"),
        *("a/.hidden/train_x.py", "a/.train_hidden.py", "a/__pycache__/train_x.py", "a/node_modules/train_x.py"),
        *("a/venv/train_x.py", "a/own_env/lib/train_x.py", "a/conda/train_x.py", "a/lib/site-packages/train_x.py"),
        *("b/train_als.py", "b/fit_model.py", "b/legacy/train_old.py"),
    ):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    Path("a/own_env/pyvenv.cfg").touch()
    Path("a/conda/conda-meta").mkdir()
    return tmp_path


def found(*arguments: object) -> list[str]:
    return [path.as_posix() for path in find_scripts(*arguments)]  # type: ignore[arg-type]


DEFAULT = ["train_*.py"]


@pytest.mark.usefixtures("tree")
def test_tests_environments_caches_and_hidden_folders_are_skipped() -> None:
    expected = ["a/brain/train_risk.py", "a/heart/train_risk.py", "a/train_als.py", "a/train_alzheimers.py"]
    assert found(["a"], DEFAULT, []) == expected


@pytest.mark.usefixtures("tree")
def test_several_roots_and_patterns() -> None:
    assert found(["b"], ["train_*.py", "fit_*.py"], []) == [
        *("b/fit_model.py", "b/legacy/train_old.py", "b/train_als.py"),
    ]
    assert found(["b"], DEFAULT, ["legacy"]) == ["b/train_als.py"]
    assert found(["b"], DEFAULT, ["legacy/*"]) == ["b/train_als.py"]
    assert found(["b"], DEFAULT, ["train_o*"]) == ["b/train_als.py"]
    assert found(["a"], ["heart/*.py"], []) == ["a/heart/train_risk.py"]
    # A root in another is searched once.
    assert len(found(["a", "b", "a/heart"], DEFAULT, [])) == 6


@pytest.mark.usefixtures("tree")
def test_a_root_is_searched_whatever_its_own_name() -> None:
    assert found(["a/tests"], DEFAULT, []) == ["a/tests/train_x.py"]


@pytest.mark.usefixtures("tree")
def test_nothing_found_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"scripts.root=no: there is no such directory"):
        find_scripts(["no"], DEFAULT, [])
    with pytest.raises(ConfigError, match=r"scripts.root=a: no script in it matches fit_\*.py"):
        find_scripts(["b", "a"], ["fit_*.py"], [])


@pytest.mark.usefixtures("tree")
def test_ids_are_short_and_told_apart_by_the_folder() -> None:
    ids = job_ids(find_scripts(["a", "b"], DEFAULT, []))
    assert {path.as_posix(): name for path, name in ids.items()} == {
        "a/train_als.py": "a-als",
        "b/train_als.py": "b-als",
        "a/train_alzheimers.py": "alzheimers",
        "a/brain/train_risk.py": "brain-risk",
        "a/heart/train_risk.py": "heart-risk",
        "b/legacy/train_old.py": "old",
    }
    # Whatever the order.
    assert job_ids(reversed(list(ids))) == ids


def test_ids_take_as_many_folders_as_are_needed() -> None:
    paths = [Path("/p/x/m/train_a.py"), Path("/p/y/m/train_a.py"), Path("/p/z/n/train_a.py"), Path("/p/train.py")]
    assert job_ids(paths) == {paths[0]: "x-m-a", paths[1]: "y-m-a", paths[2]: "n-a", paths[3]: "train"}


def test_copies_in_sweeps_and_among_results_are_no_scripts(tree: Path) -> None:
    sweep = ("b/sweep/multirun.yaml", "b/sweep/logs/train_als.py")
    for name in (*sweep, "b/single/.hydra/config.yaml", "b/single/train_als.py", "b/results/als/train_als.py"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    assert found(["b"], DEFAULT, ["legacy"], tree / "b/results") == ["b/train_als.py"]
    assert found(["b/sweep"], DEFAULT, []) == ["b/sweep/logs/train_als.py"]
