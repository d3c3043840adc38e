"""The first screen's levels: fixed limits, and an all-clear that has to be shown."""

import pytest

from nasaudit.measure.proportion import proportion
from nasaudit.spec.attacks import FAMILIES
from nasaudit.spec.study import StudySpec
from nasaudit.testing.rows import make_results, make_row, pooled_rows
from nasaudit.verdicts.decide import decide
from nasaudit.verdicts.threats import LIMITS, level_of


@pytest.mark.parametrize("family", FAMILIES)
def test_a_level_is_low_only_if_the_whole_interval_is(family):
    low, severe = LIMITS[family]

    def level(value, half):
        return level_of(family, make_row("darts", "asr", value, half=half, n=100, attack="pgd"))

    assert level(low - 0.01, 0.005) == "low"
    assert level(low + 0.001, 0.01) == "raised"
    assert level((low + severe) / 2, 0.001) == "raised"
    assert level(severe, 0.2) == "severe"
    nothing = 0.5 if family == "membership" else 0
    assert level(low, low - nothing) == "unclear", "it may well do nothing, or more than a little"
    assert level(low, low - nothing - 0.001) == "raised"
    assert level(nothing, low - nothing) == "low"


def studied(rows, *, names=("darts", "resnet"), shape=(1, 8, 8)):
    spec = StudySpec.parse(
        {
            "architectures": names,
            "data": "digits",
            "seeds": [0],
            "attacks": ["pgd", "badnets", "loss_threshold"],
        }
    )
    return decide(make_results(spec, rows, shape=shape))


def curve(name, broken, *, images="correct"):
    """A security curve: so many of 500 images fall, by epsilon; and its area over the common images."""
    fields = {"attack": "pgd", "norm": "linf", "goal": "untargeted"}
    rows = [make_row(name, "curve_area", 0.5, half=0.1, n=500, images="common", **fields)]
    for epsilon, hits in broken.items():
        rows += pooled_rows(name, "asr", {0: proportion(hits, 500)}, epsilon=epsilon, images=images, **fields)
    return rows


def test_evasion_is_read_at_the_change_that_the_literature_quotes_for_such_images():
    rows = curve("darts", {"8/255": 10, "64/255": 300})
    (grey,) = [each for each in studied(rows).threats if each.family == "evasion"]
    assert (grey.level, rows[grey.figures[0].position].setting["epsilon"]) == ("severe", "64/255")
    (colour,) = [each for each in studied(rows, shape=(3, 32, 32)).threats if each.family == "evasion"]
    assert (colour.level, rows[colour.figures[0].position].setting["epsilon"]) == ("low", "8/255")


def test_a_curve_without_that_epsilon_is_read_at_the_nearest():
    rows = curve("darts", {"1/255": 400, "32/255": 10, "200/255": 500})
    (threat,) = [each for each in studied(rows).threats if each.family == "evasion"]
    assert rows[threat.figures[0].position].setting["epsilon"] == "32/255"


def test_rates_over_other_images_are_not_read():
    (threat,) = [
        each for each in studied(curve("darts", {"64/255": 300}, images="all")).threats if each.figures == []
    ][:1]
    assert threat.level == "not tested"


def test_the_most_serious_stands_first_and_every_family_is_there():
    rows = curve("darts", {"64/255": 2}) + curve("resnet", {"64/255": 100})
    for name, hits in (("darts", 490), ("resnet", 20)):
        rows += pooled_rows(name, "asr", {0: proportion(hits, 500)}, attack="badnets", images="other classes")
    results = studied(rows)
    assert [(each.family, each.level) for each in results.threats] == [
        ("backdoor", "severe"), ("evasion", "raised"),
        ("poisoning", "not tested"), ("extraction", "not tested"), ("membership", "not tested"),
    ]  # fmt: skip
    backdoor = results.threats[0]
    assert {each.architecture: each.level for each in backdoor.figures} == {
        "darts": "severe",
        "resnet": "low",
    }
