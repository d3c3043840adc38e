"""PolicySpec: what a model must keep to, as `nasaudit gate` reads it from a YAML file. No torch."""

from collections.abc import Mapping
from math import isclose, isfinite
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from nasaudit.errors import SpecError, UnknownNameError
from nasaudit.measure.catalogue import Worse, worse_direction
from nasaudit.spec.attacks import FAMILIES
from nasaudit.spec.base import Spec
from nasaudit.spec.units import as_number

HEADLINE = "headline"  # stands for the metric, attack and setting by which a family is judged
EVERY = "all"

Judge = Literal["value", "bound"]
Check = Literal["at_most", "at_least", "not_worse_than_baseline"]


def _number(value: Any) -> Any:
    """`"8/255"` becomes 8/255; true and false are no numbers."""
    if isinstance(value, bool):
        raise ValueError("a number or a fraction such as 8/255")
    if not isinstance(value, str):
        return value
    number = as_number(value)
    if number is None:
        raise ValueError("a number or a fraction such as 8/255")
    return number


def _texts(values: Any) -> Any:
    """Settings are text in a study's rows, and whatever YAML makes of them in a policy."""
    if not isinstance(values, Mapping):
        return values
    return {
        str(key): str(value) if isinstance(value, (bool, int, float)) else value
        for key, value in values.items()
    }


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Limit = Annotated[float, BeforeValidator(_number)]
Name = Annotated[str, Field(min_length=1, max_length=120)]


class RuleSpec(Spec):
    """Which rows of a study are judged, and what must hold for every one of them.

    Exactly one of `at_most`, `at_least` and `not_worse_than_baseline` is given.
    """

    name: str = ""  # "": made of what the rule says; see `title`
    architectures: Annotated[tuple[Name, ...], BeforeValidator(_listed), Field(min_length=1)] = (EVERY,)
    family: Name | None = None  # None: any
    attack: Name | None = None  # None: any
    metric: Name  # or `headline`, with a family
    setting: Annotated[dict[str, str], BeforeValidator(_texts)] = Field(default_factory=dict)  # of the rows
    at_most: Limit | None = None
    at_least: Limit | None = None
    not_worse_than_baseline: bool = False
    tolerance: Annotated[Limit, Field(ge=0)] | None = None  # by which it may be worse, in the metric's unit
    judge: Judge = "bound"  # the worse end of the interval, or the value alone
    worse: Worse | None = None  # None: as nasaudit knows it

    @property
    def check(self) -> Check:
        """Which of the three it is."""
        if self.at_most is not None:
            return "at_most"
        return "not_worse_than_baseline" if self.at_least is None else "at_least"

    @property
    def limit(self) -> float:
        """The threshold, or the tolerance."""
        given = [limit for limit in (self.at_most, self.at_least, self.tolerance) if limit is not None]
        return given[0] if given else 0.0

    @property
    def direction(self) -> Worse:
        """Which way the rule's metric is worse; a headline is worse if higher."""
        if self.check != "not_worse_than_baseline":
            return "higher" if self.check == "at_most" else "lower"
        return worse_direction(self.metric, self.worse) or "higher"

    @property
    def demand(self) -> str:
        """What must hold, in words."""
        if self.at_most is not None:
            return f"at most {self.at_most:.6g}"
        if self.at_least is not None:
            return f"at least {self.at_least:.6g}"
        if self.tolerance is None:
            return "not worse than the baseline"
        return f"not worse than the baseline by more than {self.tolerance:.6g}"

    @property
    def title(self) -> str:
        """The name, or one made of what the rule says."""
        if self.name:
            return self.name
        whose = "" if self.architectures == (EVERY,) else f"{', '.join(self.architectures)}: "
        where = [self.family or "", self.attack or "", self.metric]
        where += [f"{key}={text}" for key, text in sorted(self.setting.items())]
        judged = " by value" if self.judge == "value" else ""
        return f"{whose}{' '.join(part for part in where if part)} {self.demand}{judged}"

    @model_validator(mode="after")
    def _one_demand(self) -> "RuleSpec":
        demands = [
            name
            for name, given in (
                ("at_most", self.at_most is not None),
                ("at_least", self.at_least is not None),
                ("not_worse_than_baseline", self.not_worse_than_baseline),
            )
            if given
        ]
        if len(demands) != 1:
            expected = "exactly one of at_most, at_least and not_worse_than_baseline: true"
            raise SpecError("", expected, ", ".join(demands) or "none of them")
        if not self.name.isprintable():
            raise SpecError("name", "text on one line", self.name)
        return self

    @model_validator(mode="after")
    def _headlines_have_a_family(self) -> "RuleSpec":
        if self.metric != HEADLINE:
            return self
        if self.family is None:
            raise SpecError("family", f"the family whose {HEADLINE} is meant: {', '.join(FAMILIES)}", None)
        if self.family not in FAMILIES:
            raise UnknownNameError("family with a headline", self.family, FAMILIES)
        for field in ("attack", "setting", "worse"):
            if getattr(self, field):
                expected = f"nothing: the {HEADLINE} says it (see verdicts/headlines.py)"
                raise SpecError(field, expected, getattr(self, field))
        if self.check == "at_least":
            expected = "at_most: every headline is worse the higher it is"
            raise SpecError("at_least", expected, self.at_least)
        return self

    @model_validator(mode="after")
    def _direction_is_known(self) -> "RuleSpec":
        if self.metric == HEADLINE:
            return self
        known = worse_direction(self.metric, self.worse)
        if self.check == "not_worse_than_baseline":
            if known is None:
                expected = f"higher or lower, as nasaudit does not know which way {self.metric!r} is worse"
                raise SpecError("worse", expected, self.worse)
        elif known is not None and known != self.direction:
            right = "at_most" if known == "higher" else "at_least"
            source = f"worse: {self.worse} is stated" if self.worse else f"{self.metric} is worse if {known}"
            expected = f"{right}, as {source} (state the other direction with `worse` if that is meant)"
            raise SpecError(self.check, expected, getattr(self, self.check))
        return self

    @model_validator(mode="after")
    def _tolerance_has_a_baseline(self) -> "RuleSpec":
        if self.check == "not_worse_than_baseline":
            if self.tolerance is None and self.judge == "value":
                raise SpecError("tolerance", "a number, where the value alone is judged", None)
        elif self.tolerance is not None:
            raise SpecError("tolerance", "no such field without not_worse_than_baseline", self.tolerance)
        return self


class PolicySpec(Spec):
    """Rules, all of which must hold."""

    rules: Annotated[tuple[RuleSpec, ...], Field(min_length=1)]
    failed_tasks: Literal["refuse", "allow"] = "refuse"  # whether a study some of whose tasks failed may pass

    @model_validator(mode="after")
    def _each_once(self) -> "PolicySpec":
        seen: set[str] = set()
        for position, rule in enumerate(self.rules):
            if rule.title in seen:
                raise SpecError(f"rules[{position}]", "rules that differ in their names", rule.title)
            seen.add(rule.title)
        return self

    @property
    def needs_baseline(self) -> bool:
        """Whether any rule compares with a baseline."""
        return any(rule.check == "not_worse_than_baseline" for rule in self.rules)


def same_text(wanted: str, got: str) -> bool:
    """Whether two texts of a setting say the same: `0.1` and `0.10`, `8/255` and `0.03137`.

    >>> same_text("2/255", "2/255"), same_text("0.10", "0.1"), same_text("2/255", "4/255"), same_text("soft", "hard")
    (True, True, False, False)
    """
    if wanted == got:
        return True
    ours, theirs = as_number(wanted), as_number(got)
    if ours is None or theirs is None or not isfinite(ours) or not isfinite(theirs):
        return False
    return isclose(ours, theirs, rel_tol=5e-4)  # rows have four digits
