"""Spellings of a shared option such as `scripts.epochs` among the options of scripts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from ddrsa.scripts.interface.source import VALUE, Option

# The shared options and the names that scripts have for them, the likelier first.
SHARED = {
    "epochs": (
        *("epochs", "num_epochs", "n_epochs", "max_epochs", "nepochs", "numepochs", "maxepochs", "epoch"),
        *("number_of_epochs", "niter", "train_epochs", "training_epochs", "num_train_epochs", "num_training_epochs"),
    ),
    "folds": (
        *("folds", "num_folds", "n_folds", "nfolds", "k_folds", "kfolds", "k_fold", "kfold", "cv_folds", "n_cv_folds"),
        *("number_of_folds", "n_splits", "num_splits", "cv_splits", "cv"),
    ),
    "batch_size": (
        *("batch_size", "batchsize", "batch", "train_batch_size", "training_batch_size", "mini_batch_size"),
        *("minibatch_size", "per_device_train_batch_size", "bs"),
    ),
}
OUTPUT_DIR = (
    *("output_dir", "output_directory", "outputdir", "outdir", "out_dir", "output_folder", "output_path", "save_dir"),
    *(
        "savedir",
        "save_path",
        "results_dir",
        "result_dir",
        "resultsdir",
        "log_dir",
        "logdir",
        "run_dir",
        "output",
        "out",
    ),
)


def normalised(name: str) -> str:
    """`--Num-Epochs` and `num_epochs` are the same name."""
    return name.lstrip("-+/").replace("-", "_").lower()


def find_option(options: Sequence[Option], names: Sequence[str]) -> Option | None:
    """The option that has one of `names`, the first of them that any has; spelled on the command line or as a variable.

    A short option counts only by its variable: what -e means, nothing but that says.
    """
    for name in names:
        for option in options:
            if name in known_as(option):
                return option
    return None


def output_option(options: Sequence[Option]) -> Option | None:
    """The option that takes the directory for the results; None where the only such option takes a file."""
    named = [option for option in options if option.takes == VALUE and not _is_a_file(option.default)]
    return find_option(named, OUTPUT_DIR)


def is_long(name: str) -> bool:
    """Whether the spelling of an option is more than a letter: `--lr`, and `-lr` too."""
    return name.startswith("--") or len(name) > 2


def known_as(option: Option) -> set[str]:
    """The normalised long names of an option, and its variable."""
    spellings = [name for name in (*option.names, *option.off_names) if is_long(name)]
    return {normalised(name) for name in (*spellings, option.destination or "") if name}


def _is_a_file(default: object) -> bool:
    return isinstance(default, str) and PurePath(default).suffix != ""
