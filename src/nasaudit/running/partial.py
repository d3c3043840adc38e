"""The results of a study that is not finished: of the records that there are. Nothing is run."""

from pathlib import Path

from nasaudit.planning.plan import Plan
from nasaudit.planning.unfolding import Unfolding
from nasaudit.results.assemble import copy_examples
from nasaudit.results.folder import StudyFolder
from nasaudit.results.opened import StudyOnDisk
from nasaudit.results.schema import UNFINISHED, Flag, StudyResults
from nasaudit.running.status import StudyStatus, status_by, status_of
from nasaudit.store.store import Store
from nasaudit.verdicts.decide import collect


def results_so_far(out: Path) -> StudyResults | None:
    """What a study has measured so far, with a flag that says how much is missing; None: nothing is, or everything.

    Examples are copied into the folder, since the report shows them; results.json is a finished run's to write.

    Raises:
        StoreError: the folder holds no study.
        InputError: the study cannot be planned (its data is gone, say).
    """
    if StudyFolder(out).is_whole():
        return None
    study = StudyOnDisk.of(out)
    state = status_of(study.planned, study.store, study.folder.path)
    if not _missing(state) and state.expected == 0:
        return None
    if not study.unfolding().records:
        return None
    ending = "a run is going on" if state.going else "run the same command again to resume it"
    return partial_results(study.planned, study.folder, study.store, study.downloads, ending)


def partial_results(
    planned: Plan, folder: StudyFolder, store: Store, downloads: Path, ending: str
) -> StudyResults:
    """The results of the records that there are, with a flag that says how much is missing, if anything is.

    Args:
        planned: the study.
        folder: of the study, which gets the examples that the report shows.
        store: of its records.
        downloads: folder of the downloaded data sets.
        ending: of the flag's sentence: what to do about it.
    """
    return results_and_status(planned, folder, store, downloads, ending)[0]


def results_and_status(
    planned: Plan, folder: StudyFolder, store: Store, downloads: Path, ending: str
) -> tuple[StudyResults, StudyStatus]:
    """The same with the status that the flag speaks of, by the same records."""
    begun = store.begun()
    unfolding = Unfolding(planned, store.look_up, store.path)
    state = status_by(unfolding, begun, folder.path)
    known, records = unfolding.plan, unfolding.records
    results = collect(known, records, store, downloads)
    copy_examples(known, records, store, folder)
    if _missing(state) or state.expected != 0:
        more = "" if state.expected == 0 else ", and some are not known yet"
        missing = f"{_missing(state)} of {len(state.tasks)} tasks are missing{more}"
        message = f"this study is not finished: {missing}; {ending}"
        results.flags.insert(0, Flag(kind=UNFINISHED, architectures=(), message=message))
    return results, state


def _missing(state: StudyStatus) -> int:
    return state.count("missing") + state.count("running")
