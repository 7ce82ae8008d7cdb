from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from wheel_environments import ROOT, Installed, build


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of the checkout."""
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "--wheel")


@pytest.fixture(scope="session")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with its base dependencies only."""
    root = tmp_path_factory.mktemp("base")
    venv = _venv(root)
    _pip(venv, "-c", str(ROOT / "constraints.txt"), str(wheel))
    return Installed(venv, _folder(root))


@pytest.fixture(scope="session")
def models(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with the extra `models`, whose packages are those of the environment of the tests."""
    root = tmp_path_factory.mktemp("models")
    venv = _venv(root)
    _pip(venv, "--no-deps", str(wheel))
    # A .pth of an editable install that lies there is not read: the checkout stays out of reach.
    _borrow(venv, [path for path in sys.path if path.endswith("site-packages")])
    return Installed(venv, _folder(root))


@pytest.fixture(scope="session")
def lowest(wheel: Path, base: Installed, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """As `base`, with the lowest Hydra that the wheel allows."""
    root = tmp_path_factory.mktemp("lowest")
    venv = _venv(root)
    _pip(venv, "--no-deps", str(wheel), "hydra-core==1.3.2", "omegaconf==2.3.0")
    _borrow(venv, [str(_site(base.venv))])
    return Installed(venv, _folder(root))


def _borrow(venv: Path, folders: list[str]) -> None:
    (_site(venv) / "borrowed.pth").write_text("\n".join(folders))


def _site(venv: Path) -> Path:
    (site,) = venv.glob("lib/python*/site-packages")
    return site


def _venv(root: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(root / "venv")], check=True, timeout=100)
    return root / "venv"


def _pip(venv: Path, *arguments: str) -> None:
    pip = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", *arguments], check=True, timeout=280)


def _folder(root: Path) -> Path:
    (root / "empty").mkdir()
    return root / "empty"
