"""The answer for machines: `analyze.py --json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ddrsa.analysis.analysis import Analysis
from ddrsa.analysis.sentences import sentences
from ddrsa.rundir.files import SCHEMA_VERSION


def print_json(analysis: Analysis, paths: Sequence[Path]) -> None:
    """Print the answer as one JSON object on stdout. A number that is not finite is null.

    paths: the files that were written.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "sweeps": [str(source) for source in analysis.sweep.sources.values()],
        "runs": len(analysis.sweep.runs),
        "races": [race.to_dict() for race in analysis.races],
        "answers": [{**answer.to_dict(), "words": sentences(answer)} for answer in analysis.answers],
        "files": [str(path) for path in paths],
    }
    print(json.dumps(content, indent=2, allow_nan=False))
