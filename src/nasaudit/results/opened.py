"""A study as its folder names it, with its store and the records that its results were made of. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nasaudit.errors import StoreError
from nasaudit.planning.plan import Plan, plan
from nasaudit.planning.unfolding import Unfolding
from nasaudit.results.assemble import open_records
from nasaudit.results.folder import STUDY_FILE, StudyFolder
from nasaudit.spec.study import StudySpec
from nasaudit.store.records import Record
from nasaudit.store.remote.places import named_store, store_at, url_of
from nasaudit.store.store import Store


@dataclass(frozen=True)
class StudyOnDisk:
    """What is needed to look at it, or to go on.

    Attributes:
        folder: of the study.
        planned: as far as it is known without its records.
        store: of its records.
        downloads: folder of the downloaded data sets.
    """

    folder: StudyFolder
    planned: Plan
    store: Store
    downloads: Path

    @classmethod
    def of(cls, path: Path) -> "StudyOnDisk":
        """That of a folder.

        Raises:
            StoreError: it holds no study.
            InputError: the study that it names cannot be planned (its data is gone, say).
        """
        folder = StudyFolder(path)
        content = folder.read()
        study = StudySpec.parse(content["study"], where=str(folder.path / STUDY_FILE))
        downloads = Path(content.get("downloads") or "data")
        return cls(folder, plan(study, downloads), store_of(path), downloads)

    def unfolding(self) -> Unfolding:
        """With what its records decide."""
        return Unfolding(self.planned, self.store.look_up, self.store.path)


@dataclass(frozen=True)
class OpenedStudy:
    """What a study planned, and the records that it has.

    Attributes:
        planned: with all that its stages added.
        store: of its records.
        downloads: folder of the downloaded data sets.
        opened: the successful records and the folders of their artefacts, by digest.
    """

    planned: Plan
    store: Store
    downloads: Path
    opened: Mapping[str, tuple[Record, Path]]

    @classmethod
    def of(cls, folder: Path) -> "OpenedStudy":
        """Open a study's folder; nothing is run.

        Raises:
            StoreError: it holds no study.
            InputError: the study that it names cannot be planned (its data is gone, say).
        """
        study = StudyOnDisk.of(folder)
        known = study.unfolding()
        return cls(known.plan, study.store, study.downloads, open_records(known.records, study.store))


def store_of(path: Path | str) -> Store:
    """The store in a folder or at a URL, or that of the study in a folder.

    Raises:
        StoreError: it holds neither.
    """
    if url_of(path) is None and Path(path, STUDY_FILE).exists():
        folder = StudyFolder(Path(path))
        named = folder.read().get("store")
        return named_store(named, folder.path / STUDY_FILE) if named else Store(folder.store)
    store = store_at(path)
    if not store.exists():
        raise StoreError(
            f"{store.where} holds no records and no study; expected a store, or the folder of a study"
        )
    return store
