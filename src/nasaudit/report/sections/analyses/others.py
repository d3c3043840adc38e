"""Analyses without a section of their own, as a plugin's are: a table of all that they measured."""

from collections.abc import Collection, Iterator

from nasaudit.measure.catalogue import metric_of
from nasaudit.report import format
from nasaudit.report.evidence import Evidence, unique
from nasaudit.report.parts import Section, Text
from nasaudit.report.sections.families.attack import anchor
from nasaudit.report.sections.tables import column, table
from nasaudit.spec.analyses import ANALYSES
from nasaudit.spec.attacks import FAMILIES


def sections(evidence: Evidence, shown: Collection[str]) -> Iterator[Section]:
    """A section for each family of rows that is neither an attack's nor among those `shown` elsewhere."""
    for name in unique(row.family for row in evidence.results.rows):
        if name in shown or name in FAMILIES:
            continue
        registered = name in ANALYSES
        title = format.first_up(ANALYSES[name].title if registered else name.replace("_", " "))
        columns = []
        for metric, pairs in dict.fromkeys(
            (row.metric, tuple(row.setting.items())) for row in evidence.of_family(name)
        ):
            # E.g. `trace of the Hessian (space input)`.
            where = ", ".join(f"{key.replace('_', ' ')} {text}" for key, text in pairs)
            heading = metric_of(metric).title + (f" ({where})" if where else "")
            columns.append(column(heading, evidence.by_name(name, metric, **dict(pairs))))
        yield Section.of(
            anchor("analysis", name),
            title,
            Text(f"{format.first_up(ANALYSES[name].summary)}.", quiet=True) if registered else None,
            table(evidence, f"{title}: all that was measured", columns),
        )
