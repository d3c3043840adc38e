"""What can be said of a search before it runs. Importing this registers every method; it imports no torch."""

from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny

from nasaudit.spec.named import by_name
from nasaudit.spec.searches.base import SEARCHES, SearchSpec
from nasaudit.spec.searches.one_shot import (
    DartsSpec,
    DrnasSpec,
    OneShotSpec,
    PcDartsSpec,
    PDartsSpec,
    SgasSpec,
    SnasSpec,
)

__all__ = [
    "SEARCHES",
    "AnySearch",
    "DartsSpec",
    "DrnasSpec",
    "OneShotSpec",
    "PDartsSpec",
    "PcDartsSpec",
    "SearchSpec",
    "SgasSpec",
    "SnasSpec",
]

AnySearch = Annotated[SerializeAsAny[SearchSpec], BeforeValidator(by_name(SEARCHES))]
