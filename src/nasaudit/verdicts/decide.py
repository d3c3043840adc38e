"""From records to results with all that is decided of them: the one judge of a study. No torch."""

from collections.abc import Mapping
from pathlib import Path

from nasaudit.planning.hardening import variants
from nasaudit.planning.plan import Plan
from nasaudit.results.assemble import assemble, common_images, open_records
from nasaudit.results.image_values import ImageValues
from nasaudit.results.schema import StudyResults
from nasaudit.results.selection import clean_accuracies
from nasaudit.store.entries import Known
from nasaudit.store.store import Store
from nasaudit.verdicts.advice import make_fronts
from nasaudit.verdicts.chain import make_variables
from nasaudit.verdicts.claims import make_claims
from nasaudit.verdicts.confounders import make_adjustments
from nasaudit.verdicts.groups import compare_groups, compare_with_random
from nasaudit.verdicts.headlines import find_headlines
from nasaudit.verdicts.links import judge_links
from nasaudit.verdicts.remedies import make_remedies
from nasaudit.verdicts.saturation import find_saturated
from nasaudit.verdicts.searched import make_searched_fronts, pull_levers
from nasaudit.verdicts.standings import make_standings
from nasaudit.verdicts.threats import find_threats, find_untested
from nasaudit.verdicts.unlike import find_unlike


def collect(planned: Plan, records: Mapping[str, Known], store: Store, downloads: Path) -> StudyResults:
    """Make results of a study's records, and decide what they say.

    Args:
        planned: the study.
        records: by digest; tasks without one are those whose needs failed.
        store: where the artefacts are.
        downloads: folder of the downloaded data sets (the names of the classes are read there).
    """
    opened = open_records(records, store)
    common = common_images(planned, opened)
    assembled = assemble(planned, opened, records, common, downloads)
    return decide(assembled, ImageValues(planned, opened, common))


def decide(results: StudyResults, values: ImageValues | None = None) -> StudyResults:
    """The results with every verdict, made anew.

    Args:
        results: with rows.
        values: what the study's models did on single images; None: there are no remedies to judge.
    """
    headlines = find_headlines(results.rows)
    saturated = find_saturated(headlines, results.rows, results.architectures)
    hardened = {variant.name for variant in variants(results.study)}
    unlike = find_unlike(results.study, results.provenance, hardened)
    standings = make_standings(
        headlines,
        results.rows,
        results.study.seeds,
        saturated,
        remedies=hardened,
        unlike=unlike,
    )
    variables = make_variables(results.rows, headlines, saturated)
    variables_of = {variable.key: variable.values for variable in variables}
    claims = [
        claim.model_copy(update={"unlike": unlike(variables_of[claim.effect])})
        for claim in make_claims(variables, results.architectures)
    ]
    remedies = [] if values is None else make_remedies(values, results.rows, headlines, saturated)
    classes = max((architecture.classes for architecture in results.architectures), default=2)
    verdicts = {
        "headlines": headlines,
        "headlines_between": find_headlines(results.rows, between_studies=True),
        "standings": standings,
        "adjustments": make_adjustments(headlines, results.rows, standings, classes),
        "threats": find_threats(headlines, results.rows, results.architectures),
        "untested": find_untested(results.study, results.provenance, {row.family for row in results.rows}),
        "comparisons": [
            comparison.model_copy(
                update={"unlike": unlike(value.architecture for value in comparison.values)}
            )
            for comparison in compare_groups(results.rows, headlines, saturated)
        ],
        "beside_random": compare_with_random(results, headlines),
        "searched_fronts": make_searched_fronts(results, headlines),
        "pulled_levers": pull_levers(results, headlines),
        "variables": variables,
        "claims": claims,
        "links": judge_links(claims, variables),
        "remedies": remedies,
        "fronts": make_fronts(remedies, clean_accuracies(results.rows)),
    }
    return results.model_copy(update=verdicts)
