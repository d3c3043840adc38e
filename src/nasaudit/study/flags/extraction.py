"""When a figure of the family `extraction` cannot be trusted."""

from nasaudit.study.flags.base import Check

CHECKS: tuple[Check, ...] = ()
