"""The attack families that the report knows, in the order in which it shows them."""

from nasaudit.report.sections.families.backdoor import BACKDOOR
from nasaudit.report.sections.families.base import Family
from nasaudit.report.sections.families.evasion import EVASION
from nasaudit.report.sections.families.extraction import EXTRACTION
from nasaudit.report.sections.families.membership import MEMBERSHIP
from nasaudit.report.sections.families.poisoning import POISONING

FAMILIES: tuple[Family, ...] = (EVASION, POISONING, BACKDOOR, EXTRACTION, MEMBERSHIP)
