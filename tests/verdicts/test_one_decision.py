"""Whatever a study measured, no two verdicts of its page say opposite things of the same models."""

import numpy as np
import pytest

from nasaudit.measure.catalogue import metric_of
from nasaudit.measure.estimate import Estimate
from nasaudit.measure.proportion import proportion
from nasaudit.planning.hardening import variants
from nasaudit.spec.study import StudySpec
from nasaudit.testing.rows import make_results, pooled_rows
from nasaudit.verdicts.decide import decide

NAS = ("darts", "enas", "pdarts", "snas", "sgas")
MANUAL = ("resnet", "vgg", "dla", "densenet", "bit")
HARDENED = ("darts-i", "darts-iii")
NAMES = (*NAS, *MANUAL, *HARDENED)
# Figures of other shapes than a rate, with the columns of their rows.
SHAPED = {
    "curve_area": {"attack": "pgd", "norm": "linf", "goal": "untargeted", "images": "common"},
    "auc": {"attack": "loss_threshold"},
}
# What one page may say of the published direction: by the section on groups, and by the claims of its explanation.
ALIKE = {"supports": "supported", "contradicts": "contradicted", "neither": "undecided"}


@pytest.fixture(scope="module", params=[-60, 0, 60], ids=["NAS lower", "no difference", "NAS higher"])
def results(request):
    """Random rates of three families on all architectures and two seeds; groups lie `param` of 500 apart."""
    draws = np.random.default_rng(request.param + 1000)
    rows = []
    spec = StudySpec.parse(
        {
            "architectures": NAMES,
            "data": "digits",
            "seeds": [0, 1],
            "attacks": ["pgd", "badnets", "loss_threshold"],
        }
    )
    for name in NAMES:
        base = 250 + (request.param if name in NAS else 0)
        hits = {seed: base + int(draws.integers(-60, 61)) for seed in (0, 1)}
        common = {seed: proportion(hit, 500) for seed, hit in hits.items()}
        rows += pooled_rows(
            name, "clean_accuracy", {seed: proportion(480, 500) for seed in hits}, split="test"
        )
        rows += pooled_rows(name, "asr", common, attack="badnets", images="other classes")
        for metric, columns in SHAPED.items():
            unit = metric_of(metric).unit
            shaped = {
                seed: Estimate(rate.value, rate.low, rate.high, 500, unit) for seed, rate in common.items()
            }
            rows += pooled_rows(name, metric, shaped, **columns)
    return decide(make_results(spec, rows))


def test_no_two_verdicts_contradict_each_other(results):
    assert {standing.family for standing in results.standings} >= {"evasion", "backdoor"}
    paired = {frozenset((variant.original, variant.name)) for variant in variants(results.study)}
    assert paired == {frozenset(("darts", name)) for name in HARDENED}
    for standing in results.standings:
        for worse, easier in standing.easier_than.items():
            for better in easier:
                assert worse not in standing.easier_than[better]
                assert frozenset((worse, better)) not in paired
        order = {name: place for place, name in enumerate(standing.ranked)}
        assert all(
            order[worse] < order[better] for worse, all_ in standing.easier_than.items() for better in all_
        )
    said = {
        variable.key: claim.finding
        for claim in results.claims
        for variable in results.variables
        if claim.kind == "group" and claim.other == "manual" and claim.effect == variable.key
    }
    for comparison in results.comparisons:
        if comparison.test is None or comparison.family not in said or comparison.published is None:
            continue
        assert said[comparison.family] == ALIKE[comparison.test.finding]
    for link in results.links:
        found = [results.claims[position].finding for position in link.claims]
        assert found.count("supported") == link.supported
        assert found.count("contradicted") == link.contradicted


def test_the_random_studies_reach_a_verdict(results, request):
    """A property that no case ever touches would hold by itself."""
    findings = {each.family: each.test.finding for each in results.comparisons if each.test is not None}
    shift = request.node.callspec.params["results"]
    expected = {-60: "contradicts", 0: "neither", 60: "supports"}[shift]
    assert findings["evasion"] == expected
    assert any(claim.kind == "group" and claim.other == "manual" for claim in results.claims)
