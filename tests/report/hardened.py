"""Remedies as the study judges them, made up: each figure is given, and the judgement follows the study's rule."""

from collections.abc import Sequence
from statistics import NormalDist

from nasaudit.measure.catalogue import worse_direction
from nasaudit.report.remedy_names import Names
from nasaudit.report.sections.remedies.words import Hardening
from nasaudit.results.base import Span
from nasaudit.results.flags import FEW_SEEDS
from nasaudit.results.schema import StudyResults
from nasaudit.results.selection import clean_accuracies
from nasaudit.results.verdict_models import Effect, Remedied
from nasaudit.stats.holm import ALPHA
from nasaudit.verdicts.advice import advice_of, advise, make_fronts, rank
from nasaudit.verdicts.headlines import DIRECTIONS
from nasaudit.verdicts.remedies import expect, finding_of

# Of each family: measure, attack, metric.
HEADLINES = {
    "training": ("clean accuracy", "", "clean_accuracy"),
    "evasion": ("area under the security curve", "pgd", "curve_area"),
    "poisoning": ("accuracy lost to wrong labels", "label_flip", "cad"),
    "backdoor": ("success rate of the trigger", "badnets", "asr"),
    "extraction": ("agreement of the stolen model", "knockoff", "agreement"),
    "membership": ("AUC of finding members", "loss_threshold", "auc"),
}
TITLES = {"darts": "DARTS", "darts-i": "DARTS-i", "darts-ii": "DARTS-ii", "darts-iii": "DARTS-iii"}


def effect(
    family: str,
    before: float,
    difference: float,
    half: float,
    **changes: object,
) -> Effect:
    """A figure whose difference has an interval of +- `half`; p is the normal one of that."""
    measure, attack, metric = HEADLINES[family]
    low, high = difference - half, difference + half
    p = 1.0 if difference == 0 else 0.0 if half == 0 else 2 * NormalDist().cdf(-1.96 * abs(difference) / half)
    change = Span(value=difference, low=low, high=high)
    fields = {
        "family": family, "measure": measure, "attack": attack, "setting": {}, "metric": metric, "unit": "fraction",
        "before": Span(value=before, low=before - half, high=before + half),
        "after": Span(value=before + difference, low=before + difference - half, high=before + difference + half),
        "difference": change, "n": 3, "how": "seeds", "p": p,
        "p_holm": None if family == "training" else p, "finding": finding_of(change, worse_direction(metric)),
    }  # fmt: skip
    fields |= changes
    certain = fields["p_holm"] is not None and fields["p_holm"] <= ALPHA
    return Effect.model_validate({**fields, "certain": certain})


def beside(difference: float, half: float) -> Effect:
    """The cross entropy of a stolen model, which is shown and decides nothing."""
    return effect(
        "extraction", 0.9, difference, half, measure="cross entropy of the stolen model", metric="cross_entropy",
        unit="nats", headline=False, p_holm=None, finding="better" if difference > half else "undecided",
    )  # fmt: skip


def remedied(remedy: str = "deepen", variant: str = "darts-i", **changes: object) -> Remedied:
    """A rewiring of DARTS in full; it costs nothing to speak of and was not measured against anything."""
    fields = {
        "original": "darts", "variant": variant, "remedy": remedy, "kind": "rewiring", "scope": "normal", "dose": 3,
        "most": 3, "accuracy": effect("training", 0.976, -0.003, 0.005), "max_drop": 0.01, "drop": "within",
    }  # fmt: skip
    made = Remedied.model_validate({**fields, **changes})
    published = {family: direction.sign for family, direction in DIRECTIONS.items()}
    return expect(made.model_copy(update={"advice": advice_of(made)}), published)


def hardening(*remedies: Remedied, seeds: int = 3, own: Sequence[str] = ()) -> Hardening:
    """These, of one original."""
    general = {"general": seeds >= FEW_SEEDS}
    ranked = [remedied.model_copy(update=general) for remedied in rank(remedies)]
    return Hardening(remedies[0].original, ranked, Names(TITLES, frozenset(own)), seeds)


def full_study(results: StudyResults) -> StudyResults:
    """Remedies of every kind and verdict on DARTS, with doses; `results` has DARTS and its hardened variants."""
    sizes = {"parameters": (169_402, 182_930), "flops": (14_120_448, 15_020_000)}
    remedies = [
        remedied(
            effects=[
                effect("evasion", 0.512, 0.031, 0.012),
                effect("poisoning", 0.201, 0.052, 0.021, how="images and seeds", n=3000),
                effect("backdoor", 0.981, 0.002, 0.006),
                effect("extraction", 0.912, -0.051, 0.012),
                beside(0.5, 0.1),
                effect("membership", 0.553, -0.004, 0.012),
            ],
            **sizes,
        ),
        remedied(
            "deepen", "darts+deepen-1", dose=1,
            effects=[effect("evasion", 0.512, 0.011, 0.012), effect("extraction", 0.912, -0.021, 0.014)], **sizes,
        ),
        remedied(
            "deepen", "darts+deepen-2", dose=2,
            effects=[effect("evasion", 0.512, 0.019, 0.012), effect("extraction", 0.912, -0.039, 0.016)], **sizes,
        ),
        remedied(
            "drop_skips", "darts-ii", dose=2, most=2, accuracy=effect("training", 0.976, 0.004, 0.003),
            effects=[
                effect("evasion", 0.512, -0.022, 0.021),
                effect("poisoning", 0.201, 0.011, 0.021),
                effect("backdoor", 0.981, -0.003, 0.006),
                effect("extraction", 0.912, -0.011, 0.015),
                effect("membership", 0.553, 0.004, 0.012),
            ],
            **sizes,
        ),
        remedied(
            "both", "darts-iii", dose=3, accuracy=effect("training", 0.976, -0.007, 0.006), drop="unclear",
            effects=[
                effect("evasion", 0.512, -0.05, 0.01),
                effect("poisoning", 0.201, 0.001, 0.021),
                effect("backdoor", 0.981, -0.003, 0.006),
                effect("extraction", 0.912, -0.071, 0.015),
                effect("membership", 0.553, -0.008, 0.012),
            ],
        ),
        remedied(
            "adversarial_training", "darts+adversarial_training", kind="training", scope="", dose=None, most=None,
            accuracy=effect("training", 0.976, -0.023, 0.004), drop="exceeds",
            effects=[effect("evasion", 0.512, -0.31, 0.02), effect("membership", 0.553, 0.03, 0.01)],
        ),
        remedied(
            "rounded_answers", "darts", kind="answers", scope="", dose=None, most=None, accuracy=None,
            effects=[effect("extraction", 0.912, -0.015, 0.006)],
        ),
    ]  # fmt: skip
    seconds = {
        f"train {name} (seed {seed})": 83.2 + 9 * k
        for k, name in enumerate(("darts", "darts-i"))
        for seed in (0, 1)
    }
    results = results.model_copy(update={"seconds": {**results.seconds, **seconds}})
    return with_remedies(results, *advise(remedies))


def with_remedies(results: StudyResults, *remedies: Remedied) -> StudyResults:
    """The study with these remedies and no others."""
    fronts = make_fronts(remedies, clean_accuracies(results.rows))
    return results.model_copy(update={"remedies": list(remedies), "fronts": fronts})
