"""What can be said of a search before it runs. Importing this registers every method; it imports no torch."""

from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny

from nasaudit.spec.named import ByName
from nasaudit.spec.searches.base import SEARCHES, SearchSpec
from nasaudit.spec.searches.one_shot import (
    AlphaSpec,
    DartsSpec,
    DrnasSpec,
    OneShotSpec,
    PcDartsSpec,
    PDartsSpec,
    SgasSpec,
    SnasSpec,
)
from nasaudit.spec.searches.sampled import AmoebaNetSpec, NasNetSpec, RandomSearchSpec, SampledSpec
from nasaudit.spec.searches.shared import EnasSpec, RandomWsSpec

__all__ = [
    "SEARCHES",
    "AlphaSpec",
    "AmoebaNetSpec",
    "AnySearch",
    "DartsSpec",
    "DrnasSpec",
    "EnasSpec",
    "NasNetSpec",
    "OneShotSpec",
    "PDartsSpec",
    "PcDartsSpec",
    "RandomSearchSpec",
    "RandomWsSpec",
    "SampledSpec",
    "SearchSpec",
    "SgasSpec",
    "SnasSpec",
]

AnySearch = Annotated[SerializeAsAny[SearchSpec], BeforeValidator(ByName(SEARCHES))]
