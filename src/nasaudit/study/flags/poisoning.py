"""When a figure of the family `poisoning` cannot be trusted."""

from nasaudit.study.flags.base import Check

CHECKS: tuple[Check, ...] = ()
