"""What can be said of a search before it runs. Importing this registers every method; it imports no torch."""

from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny

from nasaudit.spec.named import by_name
from nasaudit.spec.searches.base import SEARCHES, SearchSpec
from nasaudit.spec.searches.one_shot import DartsSpec, OneShotSpec

__all__ = ["SEARCHES", "AnySearch", "DartsSpec", "OneShotSpec", "SearchSpec"]

AnySearch = Annotated[SerializeAsAny[SearchSpec], BeforeValidator(by_name(SEARCHES))]
