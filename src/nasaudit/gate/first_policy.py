"""A policy made of a finished study: what was measured, with room for another training. No torch."""

import math

from nasaudit.measure.catalogue import metric_of
from nasaudit.results.schema import Row, StudyResults
from nasaudit.results.selection import figure_words, key_of

HEAD = """\
# What a model must keep to, made of the study {study} ({data}, {scale}): {folder}.
# Each limit is the worse end of what was measured, plus half of the width of its 95 % interval, as another training
# comes out otherwise. A rule holds if the whole interval of the model that is judged keeps to it.
# docs/gate.md says what else a rule may say: change the limits to what you can accept.
rules:
"""


def first_policy(results: StudyResults, folder: str) -> str:
    """The text of a policy that the study itself keeps to: a rule for each family's headline, and for accuracy.

    Args:
        results: of a finished study.
        folder: where it is, for a comment.
    """
    study = results.study
    parts = [
        HEAD.format(study=_line(study.name), data=study.data.label, scale=study.scale, folder=_line(folder))
    ]
    for headline in results.headlines:
        rows = list(headline.rows.values())
        worst = max(rows, key=lambda row: row.high)
        if any(row.bound == "lower" for row in rows):
            parts.append(f"  # {headline.family}: no rule, as only the least is known of what was measured\n")
            continue
        limit = min(_ceiling(worst), worst.high + (worst.high - worst.low) / 2)
        idle = " Nothing is worse: this rule refuses nothing." if limit == _ceiling(worst) else ""
        parts.append(
            f"  # {_figure(worst)}:\n  # {_measured(worst)}.{idle}\n"
            f"  - family: {headline.family}\n"
            f"    metric: headline\n"
            f"    at_most: {math.ceil(limit * 1000 - 1e-9) / 1000:g}\n\n"
        )
    accurate = [
        row
        for row in results.select(family="training", metric="clean_accuracy", seed="all")
        if row.setting.get("split") == "test"
    ]
    if accurate:
        worst = min(accurate, key=lambda row: row.low)
        limit = max(0.0, worst.low - (worst.high - worst.low) / 2)
        parts.append(
            f"  # A model that classifies nothing is safe from much. {_measured(worst)}.\n"
            "  - family: training\n"
            "    metric: clean_accuracy\n"
            "    setting: {split: test}\n"
            f"    at_least: {math.floor(limit * 1000 + 1e-9) / 1000:g}\n\n"
        )
    parts.append(
        "# A study some of whose tasks failed is refused; `allow` lets it pass.\nfailed_tasks: refuse\n"
    )
    return "".join(parts)


def _ceiling(row: Row) -> float:
    limits = metric_of(row.metric, row.unit).limits
    return math.inf if limits is None else limits[1]


def _figure(row: Row) -> str:
    words = figure_words(row.attack or row.family, row.metric, row.setting)
    return f"{_line(words)} ({metric_of(key_of(row).metric, row.unit).title})"


def _measured(row: Row) -> str:
    return f"{_line(row.architecture)} had {row.value:.3g} [{row.low:.3g}, {row.high:.3g}], n = {row.n}"


def _line(text: str) -> str:
    """What users named must not end the comment that it stands in."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
