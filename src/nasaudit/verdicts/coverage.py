"""Which of the families of attacks a study says something of, and how the others could be tested. No torch."""

from nasaudit.results.provenance import Provenance
from nasaudit.results.verdict_models import Untested
from nasaudit.spec.attacks import FAMILIES
from nasaudit.spec.study import StudySpec

RECIPE = "poisoning"  # the family whose every attack trains the victim anew


def find_untested(study: StudySpec, provenance: Provenance, measured: set[str]) -> list[Untested]:
    """The families of which there is no figure, in their order.

    Args:
        study: as it was asked for.
        provenance: what is known of the weights.
        measured: families that have rows.
    """
    untested = []
    asked = {attack.family for attack in study.attacks}
    for family in FAMILIES:
        if family in measured:
            continue
        if family in asked:
            why, how = "its attacks left no result", "see the failures"
        elif provenance.doubtful and family != "evasion":
            why = "nobody says which images the model was trained on"
            how = "name them with --train-index or --test-index, or bring data with a test part"
            if family == RECIPE:
                how += "; it also takes the recipe of the training, as a study's `training`"
        elif provenance.given and family == RECIPE and study.training is None:
            why = "it trains the model anew, by a recipe that is not known"
            how = "give the recipe as a study's `training`"
        else:
            why, how = "it was not asked for", f"--attacks {family}"
        untested.append(Untested(family=family, why=why, how=how))
    return untested
