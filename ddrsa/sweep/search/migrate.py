"""Study whose trials were drawn from another space than the one that is searched now."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, check_distribution_compatibility
from optuna.trial import FrozenTrial, TrialState, create_trial

from ddrsa.errors import ConfigError
from ddrsa.rundir.files import now
from ddrsa.sweep.search import compat_optuna
from ddrsa.sweep.search.space import SearchSpace, in_words
from ddrsa.sweep.search.study import StudyAddress
from ddrsa.sweep.search.trials import DROPPED, REASON, enqueued_values

log = logging.getLogger(__name__)

# A study attribute of the copy that is kept: the study that is made anew from it, until that is whole.
_UNFINISHED = "migrating_to"


def keep_order(space: SearchSpace, study: optuna.Study) -> None:
    """Let choices stand in the order that they have in the study: Optuna takes another order for other choices."""
    for name, there in _distributions(study).items():
        here = space.distributions.get(name)
        if isinstance(here, CategoricalDistribution) and isinstance(there, CategoricalDistribution):
            shown = [repr(choice) for choice in here.choices]
            if sorted(shown) == sorted(map(repr, there.choices)):
                space.distributions[name] = there


def check_study_space(space: SearchSpace, study: optuna.Study, address: StudyAddress) -> None:
    """Raise ConfigError where the study has a parameter in another way than `space`, so that it cannot go on with it.

    Bounds may change, and parameters come and go; the choices, the kind and the scale may not.
    """
    for name, there in _distributions(study).items():
        here = space.distributions.get(name)
        if here is None:
            continue
        try:
            check_distribution_compatibility(there, here)
        except ValueError:
            raise ConfigError(
                f"{name} is searched as {in_words(here)}, and the study {address.name} in {address.shown} has it as "
                f"{in_words(there)}: give another hydra.sweep.dir or hydra.sweeper.study_name for a new study, or "
                "hydra.sweeper.migrate=true, which goes on with the trials that still fit"
            ) from None


def adapt(
    space: SearchSpace, study: optuna.Study, address: StudyAddress, others_at_work: Sequence[str] | None
) -> optuna.Study:
    """The study with no trial left that waits outside of `space`, migrated where that is needed and wanted.

    others_at_work: the processes that do its trials meanwhile, which keep it from being migrated; None: not wanted.
    Raises ConfigError where it cannot go on.
    """
    study = _finish_migration(space, study)
    try:
        check_study_space(space, study, address)
    except ConfigError:
        if others_at_work is None:
            raise
        if others_at_work:
            shown = ", ".join(others_at_work)
            raise ConfigError(
                f"hydra.sweeper.migrate=true: {shown} is at the study {address.name}, which is made anew when nobody is"
            ) from None
        study = migrate(space, study)
    _drop_waiting(space, study)
    return study


def _drop_waiting(space: SearchSpace, study: optuna.Study) -> None:
    """Drop the WAITING trials with a value outside of `space`: they would be run as they were drawn."""
    for trial in study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
        outside = space.outside({**enqueued_values(trial), **trial.params}, removed=True)
        if outside is None:
            continue
        if compat_optuna.drop(study, trial, {DROPPED: True, REASON: f"{outside}, outside of what is searched now"}):
            log.info("trial %d waited with %s, which is not searched any more: it is dropped", trial.number, outside)


def migrate(space: SearchSpace, study: optuna.Study) -> optuna.Study:
    """Make the study anew with those of its trials that fit `space`; the old one stays, under another name.

    Cut off at any point, it is done again by `_finish_migration`. Nobody else may be at the study.
    """
    storage, name = compat_optuna.storage_of(study), study.study_name
    kept = f"{name} before {now()}"
    optuna.copy_study(from_study_name=name, from_storage=storage, to_storage=storage, to_study_name=kept)
    optuna.load_study(study_name=kept, storage=storage).set_user_attr(_UNFINISHED, name)
    return _remake(space, study, kept)


def _finish_migration(space: SearchSpace, study: optuna.Study) -> optuna.Study:
    """The study; made again where a migration to it was cut off."""
    for summary in optuna.get_all_study_summaries(compat_optuna.storage_of(study), include_best_trial=False):
        if summary.user_attrs.get(_UNFINISHED) == study.study_name:
            log.info("the migration of the study was cut off: it is done again")
            return _remake(space, study, summary.study_name)
    return study


def _remake(space: SearchSpace, study: optuna.Study, kept: str) -> optuna.Study:
    storage, name = compat_optuna.storage_of(study), study.study_name
    old = optuna.load_study(study_name=kept, storage=storage)
    optuna.delete_study(study_name=name, storage=storage)
    made = optuna.create_study(
        study_name=name, storage=storage, sampler=study.sampler, pruner=study.pruner, directions=old.directions
    )
    trials = old.get_trials(deepcopy=False)
    moved = [copy for trial in trials if (copy := _moved(space, trial)) is not None]
    made.add_trials(moved)
    old.set_user_attr(_UNFINISHED, None)
    log.info(
        "of the %d trials %d fit what is searched now; the study as it was is kept as %r", len(moved), len(trials), kept
    )
    return made


def _moved(space: SearchSpace, trial: FrozenTrial) -> FrozenTrial | None:
    """The trial in `space`; None where it has a value outside, or was cut off before it had any."""
    values = {**enqueued_values(trial), **trial.params}
    if space.outside(values) is not None or (trial.state == TrialState.RUNNING) or trial.user_attrs.get(DROPPED):
        return None
    params = {name: space.member(name, value) for name, value in trial.params.items()}
    distributions = {name: space.distributions.get(name, trial.distributions[name]) for name in params}
    made = create_trial(
        state=trial.state,
        values=trial.values if trial.state == TrialState.COMPLETE else None,
        params=params,
        distributions=distributions,
        user_attrs=trial.user_attrs,
        system_attrs=trial.system_attrs,
        intermediate_values=trial.intermediate_values,
    )
    made.datetime_start, made.datetime_complete = trial.datetime_start, trial.datetime_complete
    if trial.state == TrialState.PRUNED and trial.values is not None:
        made.values = trial.values
    return made


def _distributions(study: optuna.Study) -> dict[str, BaseDistribution]:
    """How each parameter stands in the last trial that has it."""
    found: dict[str, BaseDistribution] = {}
    for trial in study.get_trials(deepcopy=False):
        if not trial.user_attrs.get(DROPPED):
            found.update(trial.distributions)
    return found
