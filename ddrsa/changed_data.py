"""Word on runs that have completed on data whose files have changed since."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

from ddrsa.data.options import DatasetOptions, check_dataset_options
from ddrsa.errors import UsageError
from ddrsa.sweep.supervise.events import SweepObserver, SweepOutcome

# What is logged below ddrsa.sweep stands in the sweep's own log as well.
log = logging.getLogger("ddrsa.sweep.changed_data")


def changed_content(known: str | None, options: DatasetOptions, data_dir: Path | str) -> tuple[str, str | None] | None:
    """The files of a data set and the hash of what is in them now, where that is not `known`; else None.

    known: the hash that a run recorded; None where it read no files, or recorded none. Raises DataError for files that
    are missing.
    """
    if known is None:
        return None
    # Here, because a sweep whose runs read no files does without pandas.
    from ddrsa.data.load import data_content

    content = data_content(options, data_dir)
    files = str(getattr(options, "path", f"{data_dir}/{options.name}"))
    return None if content == known else (files, content)


class ChangedData(SweepObserver):
    """Warns, when a sweep has ended, of the runs that it has not done again though their data are others now."""

    def ended(self, outcome: SweepOutcome) -> None:
        found: Counter[tuple[str, str, str | None]] = Counter()
        checked: dict[str, tuple[str, str | None] | str | None] = {}
        for run in [run for run, result in outcome.results if result.attempts == 0 and result.state.is_done]:
            known = outcome.metrics_of(run.directory).get("data_content")
            if not isinstance(known, str):
                continue
            key = repr((known, run.config.get("dataset"), run.config.get("data_dir")))
            if key not in checked:
                checked[key] = _changed(known, run.config)
            changed = checked[key]
            if isinstance(changed, tuple):
                found[(known, *changed)] += 1
        for (known, files, content), count in found.items():
            log.warning(
                "%d runs that were completed already were trained on other data: content %s, and that of %s is now %s; "
                "another hydra.sweep.dir trains them anew", count, known, files, content,
            )  # fmt: skip
        for message in dict.fromkeys(message for message in checked.values() if isinstance(message, str)):
            log.warning("the data of runs that were completed already cannot be compared with those now: %s", message)


def _changed(known: str, config: dict[str, Any]) -> tuple[str, str | None] | str | None:
    try:
        return changed_content(known, check_dataset_options(config["dataset"]), str(config["data_dir"]))
    except UsageError as error:
        return str(error)
