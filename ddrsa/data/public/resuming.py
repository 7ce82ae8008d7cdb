"""A downloader for pooch that goes on where an earlier one broke off."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import requests
from tqdm import tqdm

ATTEMPTS = 3
"""In a row without a byte, before it is given up."""

TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two pieces of an answer."""

_PIECE = 1 << 16


class ResumingDownloader:
    """Fetches a URL by HTTP, with a progress bar on a terminal.

    What has come is kept in `partial`, with the server's validator (ETag or Last-Modified) beside it, and the rest is
    asked for by a Range request: after a broken connection at once, else the next time. Where the server cannot do
    that, or the file has changed since (`If-Range`), it begins anew.

    Args:
        partial: the file to collect in; it becomes pooch's output file when it is complete.
        pause: seconds before the second attempt, doubled for each further one.
    """

    def __init__(self, partial: Path, pause: float = 1.0) -> None:
        self.partial = partial
        self.pause = pause
        self._validator = partial.with_name(f"{partial.name}.json")

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:  # noqa: ARG002  (pooch's signature)
        """Download `url` to `output_file`. Raises `requests.RequestException`; what has come until then is kept."""
        fruitless = 0
        while True:
            before = self._size()
            try:
                self._fetch_rest(url)
                break
            except requests.RequestException as error:
                refused = error.response is not None and error.response.status_code < 500
                if refused or fruitless >= ATTEMPTS - 1:
                    raise
            fruitless = 0 if self._size() > before else fruitless + 1
            time.sleep(self.pause * 2**fruitless)
        self.partial.replace(output_file)
        self._validator.unlink(missing_ok=True)

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _fetch_rest(self, url: str) -> None:
        headers = {"Accept-Encoding": "identity"}  # a range of a compressed answer would be of no use
        have = self._size()
        validator = self._known_validator(url)
        if have and validator:
            headers |= {"Range": f"bytes={have}-", "If-Range": validator}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                # It is longer than the file that the server has now.
                self.partial.unlink()
                raise requests.ConnectionError(f"{url} has changed, it is fetched anew")
            answer.raise_for_status()
            goes_on = answer.status_code == requests.codes.partial_content and answer.headers.get(
                "Content-Range", ""
            ).startswith(f"bytes {have}-")
            if not goes_on:
                have = 0
                self._remember(url, answer)
            length = answer.headers.get("Content-Length")
            total = None if length is None else have + int(length)
            with (
                self.partial.open("ab" if goes_on else "wb") as file,
                # disable=None: no bar where there is no terminal.
                tqdm(total=total, initial=have, unit="B", unit_scale=True, desc=self.partial.stem, disable=None) as bar,
            ):
                for piece in answer.iter_content(_PIECE):
                    file.write(piece)
                    bar.update(len(piece))

    def _known_validator(self, url: str) -> str | None:
        try:
            known = json.loads(self._validator.read_text())
        except (OSError, ValueError):
            return None
        return str(known["validator"]) if known.get("url") == url else None

    def _remember(self, url: str, answer: requests.Response) -> None:
        validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        if validator is None or validator.startswith("W/"):  # a weak ETag does not vouch for each byte
            self._validator.unlink(missing_ok=True)
        else:
            self._validator.write_text(json.dumps({"url": url, "validator": validator}))
