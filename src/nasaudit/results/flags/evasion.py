"""When a low attack success rate proves nothing."""

from collections.abc import Iterator, Mapping

from nasaudit.attacks.evasion.measures import late
from nasaudit.measure.estimate import Setting
from nasaudit.results.flags.base import Check, Facts, Remark, source_of
from nasaudit.results.schema import Row
from nasaudit.spec.attacks import ATTACKS, EvasionSpec, ThreatModel

# Of all images, those that fell in the last quarter of the steps: beyond this, more steps would break more.
STILL_RISING = 0.05
# What of a row's setting must agree for two attacks to have asked the same.
SAME_QUESTION = ("norm", "goal", "epsilon", "images")


def zero_gradients(facts: Facts) -> Iterator[Remark]:
    """Gradients that are exactly zero hide the way to adversarial examples, they do not remove it."""
    for architecture, share in _worst(facts, "zero_gradient_share").items():
        yield Remark(
            f"the gradient of {architecture} is exactly zero on up to {share:.1%} of the images: a "
            "gradient attack then fails for a reason that is not robustness; take its layers without a "
            "gradient (rounding, steps) as the identity in the backward pass, and believe `square` and "
            "`hop_skip_jump`, which need no gradient",
            (architecture,),
        )


def random_outputs(facts: Facts) -> Iterator[Remark]:
    """A victim that draws random numbers when it predicts wears an attack out without being robust."""
    for architecture, share in _worst(facts, "output_disagreement").items():
        yield Remark(
            f"{architecture} gave other outputs the second time for up to {share:.1%} of the unchanged "
            "images: attacks that do not average over its randomness fail for that reason alone; fix the "
            "random numbers, or attack the mean of many forward passes",
            (architecture,),
        )


def black_box_wins(facts: Facts) -> Iterator[Remark]:
    """Who knows the weights can do all that others can: if they do worse, the white-box attack is at fault.

    An ensemble is no rival: what its black-box member broke is in its own figure.
    """
    rows = facts.pooled("evasion", "asr")
    white = [row for row in rows if _access(row) == "white_box" and not _evasion(row.attack).mixed]
    remarked = set()
    for row in rows:
        if _access(row) in ("white_box", None) or (row.architecture, row.attack) in remarked:
            continue
        question = _question(row)
        rivals = (rival for rival in white if _question(rival) == question)
        best = max(rivals, key=lambda rival: rival.value, default=None)
        if best is not None and row.low > best.high:
            remarked.add((row.architecture, row.attack))
            yield Remark(
                f"at {row.setting['epsilon']} {row.attack}, which does not see the weights of "
                f"{row.architecture}, breaks {row.value:.1%} of the images and {best.attack}, which does, "
                f"{best.value:.1%}: the gradients mislead (gradient masking), so believe the larger figure, and "
                "attack with more restarts, more steps or `autoattack`",
                (row.architecture,),
            )


def steps_not_converged(facts: Facts) -> Iterator[Remark]:
    """A white-box attack whose success still grew when its steps ran out understates what it can do.

    Of a black-box attack the queries are part of the threat: that more of them would break more is no defect.
    """
    by_attack: dict[tuple[str, str, Setting], dict[int, Row]] = {}
    for row in facts.pooled("evasion", "asr_by_steps"):
        if _access(row) == "white_box":
            by_steps = by_attack.setdefault(source_of(row, "within_steps"), {})
            by_steps[int(row.setting["within_steps"])] = row
    for (architecture, attack, _), by_steps in by_attack.items():
        most = max(by_steps)
        three_quarters = by_steps.get(late(most))
        if three_quarters is None:
            continue
        gain = by_steps[most].value - three_quarters.value
        if gain > STILL_RISING:
            setting = by_steps[most].setting
            yield Remark(
                f"{gain:.1%} of the images of {architecture} fell in the last quarter of the {most} steps of "
                f"{attack} ({setting['goal']}, {setting['epsilon']}): more would break more, so set its `steps` "
                "to twice as many",
                (architecture,),
            )


CHECKS: tuple[Check, ...] = (zero_gradients, random_outputs, black_box_wins, steps_not_converged)


def _worst(facts: Facts, metric: str) -> Mapping[str, float]:
    """The largest value above 0 of each architecture."""
    worst: dict[str, float] = {}
    for row in facts.of_family("evasion"):
        if row.metric == metric and row.value > 0:
            worst[row.architecture] = max(row.value, worst.get(row.architecture, 0.0))
    return worst


def _access(row: Row) -> ThreatModel | None:
    """What the attack of a row sees of its victim; None for an attack that is not installed here."""
    if row.attack not in ATTACKS or not issubclass(ATTACKS[row.attack], EvasionSpec):
        return None
    return ATTACKS[row.attack].threat_model


def _evasion(attack: str) -> type[EvasionSpec]:
    spec = ATTACKS[attack]
    assert issubclass(spec, EvasionSpec)
    return spec


def _question(row: Row) -> tuple[str, ...]:
    return (row.architecture, *(row.setting.get(key, "") for key in SAME_QUESTION))
