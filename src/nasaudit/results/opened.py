"""A study's folder with the records that its results were made of, to read single artefacts. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nasaudit.planning.plan import Plan, plan
from nasaudit.planning.unfolding import Unfolding
from nasaudit.results.assemble import open_records
from nasaudit.results.folder import StudyFolder
from nasaudit.spec.study import StudySpec
from nasaudit.store.records import Record
from nasaudit.store.store import Store


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
        place = StudyFolder(folder)
        content = place.read()
        study = StudySpec.parse(content["study"], where=str(place.path / "study.json"))
        downloads = Path(content.get("downloads") or "data")
        store = Store(Path(content.get("store") or place.store))
        unfolding = Unfolding(plan(study, downloads), store.find, store.path)
        return cls(unfolding.plan, store, downloads, open_records(unfolding.records, store))
