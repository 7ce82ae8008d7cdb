"""The bytes of a file: what they are packed with, and the encoding of a text."""

from __future__ import annotations

import bz2
import codecs
import gzip
import logging
import lzma
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from charset_normalizer import from_bytes

from ddrsa.errors import DataError

log = logging.getLogger(__name__)

SAMPLE = 1 << 20

_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}

_PACKED = {
    b"\x1f\x8b": "gzip (.gz)",
    b"BZh": "bzip2 (.bz2)",
    b"PK\x03\x04": "zip (.zip, or .xlsx of a workbook)",
    b"\xfd7zXZ\0": "xz (.xz)",
    b"\x28\xb5\x2f\xfd": "Zstandard (.zst)",
    b"PAR1": "Parquet (.parquet)",
    b"\xd0\xcf\x11\xe0": "a workbook (.xls)",
}


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, decompressed by its ending."""
    ending = path.suffix.lower()
    if ending == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [name for name in archive.namelist() if not name.endswith("/")]
            if len(members) != 1:
                raise DataError(f"{path} has {len(members)} files in it, one is expected")
            with archive.open(members[0]) as stream:
                yield stream
        return
    if ending == ".zst":
        try:
            import zstandard
        except ImportError as error:
            raise DataError(f"{path} is packed with Zstandard, which needs: pip install zstandard") from error
        with path.open("rb") as packed, zstandard.ZstdDecompressor().stream_reader(packed) as stream:
            yield stream
        return
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(ending, open)
    with opener(path, "rb") as stream:
        yield stream


def find_encoding(path: Path) -> str:
    """That of the byte order mark, UTF-8 where the whole file is that, else the one that charset-normalizer finds.

    Raises DataError where the file is no text but one of another kind under the wrong name.
    """
    with opened(path) as stream:
        sample = stream.read(SAMPLE)
        for begin, kind in _PACKED.items():
            if sample.startswith(begin):
                raise DataError(f"{path} is no text by its first bytes, but {kind}: its name must end so")
        for mark, encoding in _BOMS.items():
            if sample.startswith(mark):
                return encoding
        if b"\0" not in sample:
            decoder = codecs.getincrementaldecoder("utf-8")()
            try:
                decoder.decode(sample)
                while chunk := stream.read(SAMPLE):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                sample = _around_first_byte(path, sample)
            else:
                return "utf-8"
    encoding = _found(sample)
    shown = next((word for word in sample.decode(encoding, "replace").split() if not word.isascii()), "")
    log.warning("%s is read as %s, where it has %r; dataset.encoding names another", path, encoding, shown[:40])
    return encoding


def _around_first_byte(path: Path, sample: bytes) -> bytes:
    """`sample`, or where it is ASCII what lies around the first byte that is not."""
    if not sample.isascii():
        return sample
    with opened(path) as stream:
        while chunk := stream.read(SAMPLE):
            if not chunk.isascii():
                return chunk
    return sample


def _found(sample: bytes) -> str:
    """The encoding of a text that is not UTF-8.

    Letters with accents and degree signs stand alone among ASCII, and are of the encoding of Windows in the west; other
    scripts have many such bytes side by side.
    """
    high = np.frombuffer(sample, dtype=np.uint8) >= 0x80
    alone = high & ~np.append(False, high[:-1]) & ~np.append(high[1:], False)
    if b"\0" not in sample and alone.sum() > 0.7 * high.sum():
        try:
            sample.decode("cp1252")
        except UnicodeDecodeError:
            pass
        else:
            return "cp1252"
    best = from_bytes(sample).best()
    return "cp1252" if best is None else best.encoding
