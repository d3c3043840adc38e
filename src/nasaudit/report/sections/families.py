"""The attack families that the report knows, in the order in which it shows them."""

from nasaudit.report.sections.evasion import EVASION
from nasaudit.report.sections.family import Family

FAMILIES: tuple[Family, ...] = (EVASION,)
