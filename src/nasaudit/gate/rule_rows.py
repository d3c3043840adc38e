"""Which figures of a study a rule of a policy is about; where there are none, what the study has that is near."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log

from nasaudit.registry import normalise
from nasaudit.results.schema import StudyResults
from nasaudit.results.selection import Figure, Key, figures, key_of, on_common_images
from nasaudit.spec.attacks import FAMILIES
from nasaudit.spec.policy import EVERY, HEADLINE, RuleSpec, same_text
from nasaudit.spec.units import as_number
from nasaudit.verdicts.headlines import WISHES

SHOWN = 8  # of what a study has


class NoSuchRowError(Exception):
    """A rule selects no row; the message says what the study has."""


@dataclass(frozen=True)
class Step:
    """One condition of a rule.

    Attributes:
        place: what it looks at, in words.
        wanted: text.
        got: what a figure has there; None if it has nothing.
    """

    place: str
    wanted: str
    got: Callable[[Key], str | None]

    def holds(self, key: Key) -> bool:
        """Whether a figure fits."""
        text = self.got(key)
        if text is None or same_text(self.wanted, text):
            return text is not None
        # Names are forgiving, numbers are not: 1e-3 is not 1e3.
        return as_number(self.wanted) is None and normalise(self.wanted) == normalise(text)


def select(rule: RuleSpec, results: StudyResults) -> list[Figure]:
    """The figures that a rule is about, at least one for each architecture that it names.

    Raises:
        NoSuchRowError: there are none, or none of one architecture.
    """
    # What two studies compare must be of the same images.
    comparable = [
        row
        for row in results.rows
        if rule.check != "not_worse_than_baseline" or not on_common_images(key_of(row))
    ]
    by_key = figures(comparable)
    if rule.metric == HEADLINE:
        left = _headline(rule, results, by_key)
    else:
        left = list(by_key.values())
        narrowed: list[str] = []
        for step in _steps(rule):
            fitting = [figure for figure in left if step.holds(figure.key)]
            if not fitting:
                raise NoSuchRowError(_nothing_left(step, left, narrowed, results, rule))
            left = fitting
            narrowed.append(f"{step.place} {step.wanted}")
    return _of_architectures(rule, left, results)


def _steps(rule: RuleSpec) -> Iterator[Step]:
    if rule.family is not None:
        yield Step("family", rule.family, lambda key: key.family)
    if rule.attack is not None:
        yield Step("attack", rule.attack, lambda key: key.attack or None)
    yield Step("metric", rule.metric, lambda key: key.metric)
    for name, text in rule.setting.items():
        yield Step(f"setting {name}", text, lambda key, name=name: dict(key.setting).get(name))  # type: ignore[misc]


def _headline(rule: RuleSpec, results: StudyResults, by_key: Mapping[Key, Figure]) -> list[Figure]:
    family = next(family for family in FAMILIES if family == rule.family)
    between = rule.check == "not_worse_than_baseline"
    headlines = results.headlines_between if between else results.headlines
    headline = next((headline for headline in headlines if headline.family == family), None)
    if headline is None:
        measured = sorted({key.family for key in by_key if key.family in FAMILIES})
        metrics = " or ".join(dict.fromkeys(wish.metric for wish in WISHES[family]))
        raise NoSuchRowError(
            f"the study has no {HEADLINE} of {family} ({metrics} of any attack); "
            f"attack families that it measured: {', '.join(measured) or 'none'}"
        )
    return [by_key[key_of(row)] for row in headline.rows.values() if key_of(row) in by_key]


def _of_architectures(rule: RuleSpec, left: Sequence[Figure], results: StudyResults) -> list[Figure]:
    names = [spec.name for spec in results.architectures]
    if rule.architectures == (EVERY,):
        wanted = names
    else:
        spelled = {normalise(name): name for name in names}
        unknown = [name for name in rule.architectures if normalise(name) not in spelled]
        if unknown:
            raise NoSuchRowError(f"the study has no architecture {unknown[0]!r}; {_near(unknown[0], names)}")
        wanted = [spelled[normalise(name)] for name in rule.architectures]
    having = {figure.key.architecture for figure in left}
    missing = [name for name in wanted if name not in having]
    if missing:
        failed = f"; {len(results.failures)} tasks of the study failed" if results.failures else ""
        raise NoSuchRowError(
            f"the study has no such figure of {', '.join(missing)}, but of {', '.join(sorted(having))}{failed}; "
            "name the architectures that the rule is for"
        )
    return [figure for figure in left if figure.key.architecture in wanted]


def _nothing_left(
    step: Step, left: Sequence[Figure], narrowed: Sequence[str], results: StudyResults, rule: RuleSpec
) -> str:
    """Why a condition holds for no figure, and what does."""
    of_what = f" of {', '.join(narrowed)}" if narrowed else ""
    has = list(dict.fromkeys(text for figure in left if (text := step.got(figure.key)) is not None))
    aside = ""
    if (step.place, step.wanted, rule.check) == (
        "setting images",
        "common",
        "not_worse_than_baseline",
    ) and any(on_common_images(key_of(row)) for row in results.rows):
        aside = "; images=common are other images in every study, so a baseline cannot be compared on them"
    if not has and step.place.startswith("setting "):
        settings = sorted({name for figure in left for name, _ in figure.key.setting})
        name = step.place.removeprefix("setting ")
        hint = _near(name, settings) if settings else "it has no setting"
        return f"no figure{of_what} has {step.place}; {hint}"
    sign = "=" if step.place.startswith("setting ") else " "
    return f"the study has no {step.place}{sign}{step.wanted}{of_what}; {_near(step.wanted, has)}{aside}"


def _near(wanted: str, has: Iterable[str]) -> str:
    """E.g. `did you mean pgd? it has fgsm, nes, pgd`: the nearest first, by spelling or by size."""
    known = list(has)
    number = as_number(wanted)
    if number is not None:

        def distance(text: str) -> float:
            size = as_number(text)
            if size is None:
                return inf
            return abs(log(number / size)) if number > 0 and size > 0 else abs(number - size)

        ordered = sorted(known, key=distance)
        return f"the nearest that it has: {', '.join(ordered[:SHOWN])}"
    close = difflib.get_close_matches(wanted.lower(), known, n=2, cutoff=0.5)
    guess = f"did you mean {' or '.join(close)}? " if close else ""
    more = f", and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"{guess}it has {', '.join(known[:SHOWN])}{more}" if known else "it has none"
