"""The attack families that the report knows, in the order in which it shows them."""

from nasaudit.report.sections.backdoor import BACKDOOR
from nasaudit.report.sections.evasion import EVASION
from nasaudit.report.sections.extraction import EXTRACTION
from nasaudit.report.sections.family import Family
from nasaudit.report.sections.membership import MEMBERSHIP
from nasaudit.report.sections.poisoning import POISONING

FAMILIES: tuple[Family, ...] = (EVASION, POISONING, BACKDOOR, EXTRACTION, MEMBERSHIP)
