"""The same cell before and after it was rewired: the chain put to an experiment. No torch.

If shallow, wide cells full of skips are vulnerable because of that, then a cell made deeper, or freed of its skips,
is less so; and what lies between on the chain must move as well. Everything else of the cell stays.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from nasaudit.planning.population import HARDENED, hardened_name
from nasaudit.results.verdict_models import Measure
from nasaudit.spec.arch import ArchSpec
from nasaudit.stats.holm import FEWEST_TESTED
from nasaudit.stats.pairs import detectable_mean, mean_of_pairs, sign_flip_test
from nasaudit.verdicts.chain import EFFECTS, FAVOURED
from nasaudit.verdicts.drafts import Draft, Link, Question

# The rewiring sets the topology, so there is nothing to test in it.
MOVED = tuple(part for part in EFFECTS if part != "topology")


def intervention_claims(measures: Sequence[Measure], architectures: Sequence[ArchSpec]) -> Iterator[Draft]:
    """One draft for each rewiring and each measure that enough cells have before and after."""
    hardened = {one.name for one in architectures if one.group == "hardened"}
    for how in HARDENED:
        pairs = [
            (after, one.name) for one in architectures if (after := hardened_name(one.name, how)) in hardened
        ]
        for measure in measures:
            values = measure.values
            differences = [
                values[after] - values[before]
                for after, before in pairs
                if after in values and before in values
            ]
            if measure.part in MOVED and len(differences) >= FEWEST_TESTED:
                yield _draft(how, measure, differences)


def _draft(how: str, measure: Measure, differences: list[float]) -> Draft:
    question = Question(
        kind="intervention",
        cause=how,
        effect=measure.key,
        sample="published cells, after and before",
        predicted="lower" if FAVOURED[measure.key] == "higher" else "higher",
        n=len(differences),
    )
    link: Link = ("intervention", "rewiring", measure.part)
    answer = question.answer(mean_of_pairs(differences, measure.unit), sign_flip_test(differences).p)
    detectable = partial(detectable_mean, float(np.std(differences, ddof=1)), len(differences))
    return Draft(answer, link, lambda level: detectable(alpha=level))
