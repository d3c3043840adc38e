"""What results are of: hashes of the data and of every trained network, and no path of the machine that made them."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from nasaudit.data.catalogue import INDICES, fingerprint, read_raw
from nasaudit.planning.plan import Plan
from nasaudit.results.base import Plain
from nasaudit.spec.base import Spec
from nasaudit.spec.data import DataSpec, Division
from nasaudit.store.artefacts import WEIGHTS
from nasaudit.store.entries import Known
from nasaudit.store.files import sha256

S = TypeVar("S", bound=Spec)
# A folder or more after a slash that begins a word: `/home/me/audits/`, but not `8/255` and not `https://`.
FOLDERS = re.compile(r"(?<![\w./:~-])/(?:[^\s/:'\"<>|]+/)+")


PLUGIN = "plugin "  # how the entries of a plugin's code begin in `environment`


class Provenance(Plain):
    """What the results are of. All hashes are SHA-256 as hex digits."""

    data_sha256: str  # of the files; of pixels and labels where the data ship with a library
    indices: dict[
        str, str
    ]  # of the files that say which images weights were trained on, by field of the data
    division: Division  # who divided the images into those that were trained on and others
    # Of the networks that were attacked: by architecture, then by training seed.
    weights: dict[str, dict[str, str]]
    given: list[str]  # architectures whose weights were brought: how they were trained is not known

    @property
    def networks(self) -> list[tuple[str, str, str]]:
        """Architecture, training seed and hash of each network that was attacked."""
        return [
            (name, seed, digest) for name, of_name in self.weights.items() for seed, digest in of_name.items()
        ]

    @property
    def doubtful(self) -> list[str]:
        """Architectures whose test images may have been trained on."""
        return self.given if self.division == "unknown" else []


def make_provenance(planned: Plan, records: Mapping[str, Known], downloads: Path) -> Provenance:
    """Of a study; a training that failed has no weights.

    Args:
        planned: the study.
        records: by digest.
        downloads: folder of the downloaded data sets.
    """
    weights: dict[str, dict[str, str]] = {}
    for victim in planned.victims:
        of_architecture = weights.setdefault(victim.architecture.name, {})
        record = records.get(victim.digest())
        if record is not None and WEIGHTS in record.artefacts:
            of_architecture[str(victim.seed)] = record.artefacts[WEIGHTS].sha256
    given = [victim.architecture.name for victim in planned.victims if victim.weights is not None]
    return Provenance(
        data_sha256=_data_sha256(planned.data, downloads),
        indices={
            field: sha256(Path(path))
            for field in INDICES
            if (path := getattr(planned.data, field)) is not None
        },
        division=planned.data.division,
        weights=weights,
        given=list(dict.fromkeys(given)),
    )


def _data_sha256(data: DataSpec, downloads: Path) -> str:
    """Of the data alone, whoever divided them."""
    if any(getattr(data, field) is not None for field in INDICES):
        data = fingerprint(data.model_copy(update=dict.fromkeys(INDICES)), downloads)
    return data.fingerprint or content_sha256(data, downloads)


def content_sha256(data: DataSpec, downloads: Path) -> str:
    """Of all pixels and labels, in the source's order."""
    raw = read_raw(data, downloads)
    whole = hashlib.sha256(raw.images.tobytes())
    whole.update(raw.labels.tobytes())
    return whole.hexdigest()


def without_places(spec: S, here: Path) -> S:
    """The spec with each absolute path relative to `here`, or as a bare name where it is outside of that."""

    def shown(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shown(part) for key, part in value.items()}
        if isinstance(value, list):
            return [shown(part) for part in value]
        if not isinstance(value, str) or "/" not in value or not Path(value).is_absolute():
            return value
        path = Path(value)
        return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name

    return type(spec).parse(shown(spec.model_dump(mode="json")))


def without_folders(text: str) -> str:
    """Text of a failure with the names of files only: whose home it was is nobody's business.

    >>> without_folders('File "/home/me/net.py", line 3: 8/255 of https://a.b/c')
    'File "net.py", line 3: 8/255 of https://a.b/c'
    """
    return FOLDERS.sub("", text)
