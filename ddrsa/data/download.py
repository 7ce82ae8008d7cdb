"""Fetch a public data set: python -m ddrsa.data.download turbofan|azure_pm [--data-dir DIR]"""

from __future__ import annotations

import sys

from ddrsa.cli import ArgumentParser
from ddrsa.extras import run_module
from ddrsa.texts import count_of, say, say_error

if __name__ == "__main__":
    sys.exit(run_module("ddrsa.data.download", "models"))  # before the imports that need the extra

import gzip
import hashlib
import io
import os
import shutil
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pooch
import requests

from ddrsa.data.public.catalogue import PUBLIC_DATA, Origin, PublicData
from ddrsa.data.public.resuming import ResumingDownloader
from ddrsa.errors import DataError
from ddrsa.started import subcommand

DOWNLOADS = ".download"
"""The folder of what is not complete yet, in that of the data set."""


def main(
    arguments: Sequence[str] | None = None, public_data: Mapping[str, PublicData] = PUBLIC_DATA, pause: float = 1.0
) -> int:
    """Fetch, compare and unpack. Returns 0; 1 where the data could not be had; 2 for what the user can mend."""
    parser = ArgumentParser(prog=subcommand("download"), description="fetch a public data set")
    parser.add_argument("dataset", choices=sorted(public_data))
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("DDRSA_DATA_DIR", "data")),
        help="the folder with a folder for each data set (default: $DDRSA_DATA_DIR, or data)",
    )
    parser.add_argument("--check", action="store_true", help="compare the files that are there; fetch nothing")
    parser.add_argument("--force", action="store_true", help="replace files that are not the published ones")
    options = parser.parse_args(arguments)
    wanted = public_data[options.dataset]
    folder = options.data_dir / options.dataset
    try:
        different = _different(folder, wanted)
        present = [name for name in wanted.files if _find(folder, name) is not None]
        if len(present) == len(wanted.files) and not different:
            say(f"{folder}: all {len(present)} files are there, and they are the published ones")
            return 0
        if options.check:
            missing = [name for name in wanted.files if name not in present]
            say(
                f"{folder}: missing: {', '.join(missing) or 'none'}; not as published: {', '.join(different) or 'none'}"
            )
            return 1
        if different and not options.force:
            say(
                f"error: {folder} has another {', '.join(different)} than the published one; --force replaces it, or "
                "take another --data-dir",
                to=sys.stderr,
            )
            return 2
        folder.mkdir(parents=True, exist_ok=True)
        return _fetch(options.dataset, folder, wanted, pause)
    except (DataError, OSError) as error:
        say_error(error)
        return 2
    except KeyboardInterrupt:
        say(f"interrupted; what has come is kept in {folder / DOWNLOADS}, the same command goes on", to=sys.stderr)
        return 130


def _fetch(dataset: str, folder: Path, wanted: PublicData, pause: float) -> int:
    downloads = folder / DOWNLOADS
    for number, origin in enumerate(wanted.origins):
        place = downloads / str(number)
        url = origin.archive or f"{origin.base}..."
        try:
            say(f"fetching {url}")
            _fetch_from(origin, place, wanted.files, pause)
        except (requests.RequestException, ValueError, zipfile.BadZipFile, zlib.error, DataError) as error:
            say(f"{url}: {_reason(error)}", to=sys.stderr)
            with suppress(OSError):
                place.rmdir()  # where nothing came
                downloads.rmdir()
            continue
        for name in wanted.files:
            (place / name).replace(folder / name)
            (folder / f"{name}.gz").unlink(missing_ok=True)  # it would be another version of the same file
        shutil.rmtree(downloads)
        say(f"{folder}: {count_of(len(wanted.files), 'file')}, all with the published checksum")
        return 0
    say(
        f"error: {dataset} could not be fetched. The same command goes on where a download broke off.\n"
        f"By hand: {wanted.by_hand} Then put {', '.join(wanted.files)} into {folder.resolve()}/ and run "
        f"'{subcommand('download')} {dataset} --check'.",
        to=sys.stderr,
    )
    return 1


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answers {error.response.status_code} {error.response.reason}".rstrip()
    if isinstance(error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError):
        return "it cannot be reached, or the connection broke"
    return " ".join(str(error).split())


def _fetch_from(origin: Origin, place: Path, files: Mapping[str, str], pause: float) -> None:
    """Bring all `files` into `place`, compared. Raises one of the errors that `_fetch` catches."""
    place.mkdir(parents=True, exist_ok=True)
    if origin.archive is None:
        for name, sha256 in files.items():
            _retrieve(f"{origin.base}{name}", f"sha256:{sha256}", place, name, pause)
        return
    archive = _retrieve(origin.archive, origin.archive_hash, place, "archive.zip", pause)
    try:
        with zipfile.ZipFile(archive) as outer:
            _unpack(outer, place, files)
    except (zipfile.BadZipFile, DataError):
        archive.unlink()  # the next time it is fetched anew
        raise


def _retrieve(url: str, known_hash: str | None, place: Path, name: str, pause: float) -> Path:
    # pooch would propose a checksum for what has none; here the unpacked files have theirs.
    pooch.get_logger().setLevel("WARNING")
    downloader = ResumingDownloader(place / f"{name}.partial", pause)
    return Path(pooch.retrieve(url, known_hash, fname=name, path=place, downloader=downloader))


def _unpack(archive: zipfile.ZipFile, place: Path, files: Mapping[str, str]) -> None:
    members = {Path(member).name: member for member in archive.namelist()}
    if not set(files) & set(members):
        inner = [member for member in archive.namelist() if member.lower().endswith(".zip")]
        if len(inner) == 1:
            with zipfile.ZipFile(io.BytesIO(archive.read(inner[0]))) as nested:
                return _unpack(nested, place, files)
    for name, sha256 in files.items():
        if name not in members:
            raise DataError(f"the archive has no {name}")
        with archive.open(members[name]) as source, (place / name).open("wb") as target:
            shutil.copyfileobj(source, target)
        if _sha256(place / name) != sha256:
            raise DataError(f"{name} in the archive has another checksum than the published file")
    return None


def _different(folder: Path, wanted: PublicData) -> list[str]:
    """The names of the files that are there with another content."""
    found = {name: _find(folder, name) for name in wanted.files}
    return [name for name, path in found.items() if path is not None and _sha256(path) != wanted.files[name]]


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def _sha256(path: Path) -> str:
    """SHA-256 of the content, unpacked where the file ends in .gz."""
    digest = hashlib.sha256()
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return digest.hexdigest()
