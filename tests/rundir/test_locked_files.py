import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddrsa.errors import ConfigError
from ddrsa.rundir.locked_files import LockedFile, lock_directory, read_held


def created(path: Path, content: dict[str, str]) -> LockedFile:
    file = LockedFile.create(path, content)
    assert file is not None
    return file


def test_content_counts_only_while_the_file_is_held(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert read_held(path) is None
    file = created(path, {"name": "a longer content than the next"})
    assert read_held(path) == {"name": "a longer content than the next"}
    assert LockedFile.create(path, {"name": "second"}) is None
    file.release()
    file.release()
    assert path.exists()
    assert read_held(path) is None
    second = created(path, {"name": "second"})
    assert read_held(path) == {"name": "second"}
    second.release()


def test_a_subprocess_does_not_keep_the_file(tmp_path: Path) -> None:
    file = created(tmp_path / "file", {})
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False) as process:
        assert read_held(tmp_path / "file") == {}
        file.release()
        # The kernel lets Popen return a moment before exec has closed the descriptors.
        deadline = time.monotonic() + 5
        while read_held(tmp_path / "file") is not None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.communicate(b"\n")


def test_the_directory_does_not_depend_on_the_session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DDRSA_LEASE_DIR", raising=False)
    default = lock_directory()
    for name in ("XDG_RUNTIME_DIR", "TMPDIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
        assert lock_directory() == default == Path(f"/tmp/ddrsa-leases-{os.getuid()}")
    assert default.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("DDRSA_LEASE_DIR", str(tmp_path / "of" / "mine"))
    assert lock_directory() == tmp_path / "of" / "mine"
    assert lock_directory(tmp_path) == tmp_path


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigError, match="is not yours alone"):
        lock_directory(tmp_path)


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="is not yours alone"):
        lock_directory(tmp_path)
