"""Each flag on rows that have the defect, and silence on rows that have not."""

import pytest

from nasaudit.measure.estimate import Estimate, exact
from nasaudit.results.flags import CHECKS as ALL
from nasaudit.results.flags.analyses import CHECKS
from nasaudit.results.flags.base import Facts, flags_of
from nasaudit.testing.rows import make_row


def row(architecture, family, metric, estimate, seed="all", **setting):
    return make_row(architecture, metric, estimate, seed=seed, family=family, **setting)


def flags(rows):
    findings = Facts(None, {}, rows, (), 100)
    return {flag.kind: flag for flag in flags_of(findings, CHECKS)}


def smooth(architecture, lipschitz, top, space="parameters", **how):
    change, curvature = Estimate(lipschitz, 0, 1e9, 256, "nats"), Estimate(top, 0, 1e9, 256, "nats")
    return [
        row(architecture, "smoothness", "gradient_lipschitz", change, space=space),
        row(architecture, "smoothness", "hessian_top", curvature, space=space, **how),
    ]


def steps(architecture, threshold="0.9", seed=0, reached=True):
    taken = exact(100, "steps", bound=None if reached else "lower")
    return row(architecture, "convergence", "steps_to_accuracy", taken, seed, accuracy=threshold)


def test_the_checks_are_among_those_of_every_study() -> None:
    assert set(CHECKS) <= set(ALL)


def test_sound_analyses_raise_none() -> None:
    rows = [
        *smooth("darts", 40.0, 35.0),
        *smooth("resnet", 12.0, 30.0, space="input"),
        *smooth("saddle", 4.0, -3.0),  # the largest eigenvalue is negative: nothing to compare
        steps("darts"),
        steps("resnet"),
        row("darts", "gradients", "gradient_std_sum", exact(1, "gradient", 512), 0, checkpoint="initial"),
        row("darts", "gradients", "gradient_variance", exact(1, "gradient", 16), 0, checkpoint="initial"),
    ]
    assert flags(rows) == {}


def test_gradients_of_few_images_are_flagged_once_for_all_architectures() -> None:
    rows = [
        row(name, "gradients", "gradient_std_sum", exact(1, "gradient", 99), 0, checkpoint="initial")
        for name in ("darts", "resnet")
    ]
    raised = flags(rows)
    assert set(raised) == {"few_units"}
    assert raised["few_units"].architectures == ()
    assert "gradient_std_sum rests on 99 images" in raised["few_units"].message
    assert "`images` of the analysis `gradients` to 100" in raised["few_units"].message


def test_a_curvature_of_few_images_is_flagged_by_the_name_of_its_setting() -> None:
    few = Estimate(3.0, 1.0, 9.0, 5, "nats")
    raised = flags([row("darts", "smoothness", "hessian_top", few, 0, space="input")])
    assert "`input_images` of the analysis `smoothness`" in raised["few_units"].message
    assert flags([row("darts", "smoothness", "hessian_top", few, "all", space="input")]) == {}


@pytest.mark.parametrize(
    ("space", "lipschitz", "words"),
    [
        (
            "parameters",
            90.0,
            ("by the parameters", "more than 3 times as much", "kinks of ReLU", "another `radius`"),
        ),
        (
            "input",
            9.0,
            ("by the pixels", "less than 1/3 as much", "the step leaves behind", "another `input_radius`"),
        ),
    ],
)
def test_a_gradient_that_changes_otherwise_than_its_derivative_says(space, lipschitz, words) -> None:
    raised = flags([*smooth("darts", lipschitz, 29.0, space), *smooth("resnet", 29.0, 29.0, space)])
    assert raised["kinks"].architectures == ("darts",)
    assert all(word in raised["kinks"].message for word in words)


def test_a_threshold_that_some_never_reach() -> None:
    rows = [steps("darts"), steps("vgg", reached=False), steps("vgg", seed=1)]
    raised = flags(rows)
    assert raised["threshold_not_reached"].architectures == ("vgg",)
    assert "vgg did not reach 90%" in raised["threshold_not_reached"].message
    # One that nobody reaches compares nobody.
    assert flags([steps("darts", reached=False), steps("vgg", reached=False)]) == {}


def test_many_architectures_are_counted_and_not_listed() -> None:
    rows = [steps("darts"), *(steps(f"cell-{k}", reached=False) for k in range(40))]
    flag = flags(rows)["threshold_not_reached"]
    assert "cell-0, cell-1 and 38 others did not reach" in flag.message
    assert len(flag.architectures) == 40


def test_a_hessian_from_differences_is_said() -> None:
    raised = flags(smooth("odd", 3.0, 3.0, how="finite_difference"))
    assert raised["hessian_by_differences"].architectures == ("odd",)


def test_a_path_without_weights_is_flagged_with_its_place() -> None:
    one = Estimate(1, 1, 1, 1, "paths")
    raised = flags([row("odd", "topology", "weight_free_join", one, "all", op="mul", layer="body.gate")])
    assert raised["weight_free_path"].architectures == ("odd",)
    assert "`mul` in `body.gate`" in raised["weight_free_path"].message
