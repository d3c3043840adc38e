"""What is asked, of whom, and what is said: planted links are found, absent ones are not, the level holds."""

from collections.abc import Mapping, Sequence
from functools import cache
from time import perf_counter

import numpy as np
import pytest
from scipy import stats

from nasaudit.arch.catalogue import CATALOGUE, resolve
from nasaudit.planning.population import population
from nasaudit.results.verdict_models import Claim, Part, Variable
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import FAMILIES
from nasaudit.spec.study import ArchChoice, PopulationSpec
from nasaudit.stats.holm import holm
from nasaudit.testing.rows import make_row
from nasaudit.verdicts.chain import CONTROLS, DEFINITIONS
from nasaudit.verdicts.claims import make_claims
from nasaudit.verdicts.groups import compare_groups
from nasaudit.verdicts.headlines import DIRECTIONS, find_headlines

PARTS: dict[str, Part] = {
    **{definition.key: definition.part for definition in (*DEFINITIONS, *CONTROLS)},
    **dict.fromkeys(FAMILIES, "vulnerability"),
}  # fmt: skip
FAVOURED = {
    **{definition.key: definition.favoured for definition in (*DEFINITIONS, *CONTROLS)},
    **{family: direction.sign for family, direction in DIRECTIONS.items()},
}
ORDER = list(PARTS)
Values = Mapping[str, float]


@cache
def built(choice: ArchChoice) -> ArchSpec:
    return resolve(choice, "mini", 10, (3, 28, 28))


@cache
def cells(random: int, *, published: bool = False, hardened: bool = False) -> tuple[ArchSpec, ...]:
    spec = PopulationSpec(cells=random, published=published, hardened=hardened)
    return tuple(built(choice) for choice in population(spec))


def named(*names: str) -> tuple[ArchSpec, ...]:
    return tuple(built(ArchChoice(name=name)) for name in names)


MANUAL = tuple(name for name in CATALOGUE if CATALOGUE[name].group == "manual")
NAS = tuple(name for name in CATALOGUE if CATALOGUE[name].group == "nas")


def measure(key: str, values: Values) -> Variable:
    return Variable(
        key=key, title=key, part=PARTS[key], favoured=FAVOURED[key], unit="u", metric="m", values=dict(values)
    )


def measures(values: Mapping[str, np.ndarray], architectures: Sequence[ArchSpec]) -> list[Variable]:
    names = [one.name for one in architectures]
    return [
        measure(key, dict(zip(names, values[key].tolist(), strict=True)))
        for key in sorted(values, key=ORDER.index)
    ]


def claims_of(
    values: Mapping[str, np.ndarray], architectures: Sequence[ArchSpec], kind: str
) -> dict[tuple[str, str], Claim]:
    claims = make_claims(measures(values, architectures), architectures)
    return {
        (claim.other or claim.cause, claim.effect): claim for claim in claims if claim.kind == kind
    }  # fmt: skip


def noise(seed: int, n: int, *keys: str) -> dict[str, np.ndarray]:
    return dict(zip(keys, np.random.default_rng(seed).normal(size=(len(keys), n)), strict=True))


# Correlations ----------------------------------------------------------------------------------------------------


def planted(seed: int, strength: float, n: int = 60) -> dict[str, np.ndarray]:
    """Loss area follows depth, the Lipschitz constant follows loss area; nothing follows the FLOPs."""
    drawn = noise(seed, n, "depth", "loss_area", "lipschitz_input", "evasion", "clean_accuracy", "flops")
    drawn["depth"] = np.digitize(drawn["depth"], [-0.52, 1.28]) + 2.0
    drawn["loss_area"] += strength * drawn["depth"]
    drawn["lipschitz_input"] += strength * drawn["loss_area"]
    drawn["evasion"] -= strength * drawn["lipschitz_input"]
    return drawn


def test_a_planted_chain_is_supported_and_its_opposite_contradicted() -> None:
    """Published: depth, loss area and Lipschitz constant rise together, and vulnerability falls with them."""
    pairs = [("depth", "loss_area"), ("loss_area", "lipschitz_input"), ("lipschitz_input", "evasion")]
    found = claims_of(planted(0, 1.5), cells(60), "correlation")
    assert [found[pair].predicted for pair in pairs] == ["higher", "higher", "lower"]
    assert [found[pair].finding for pair in pairs] == ["supported"] * 3
    opposite = claims_of(planted(0, -1.5), cells(60), "correlation")
    assert [opposite[pair].finding for pair in pairs] == ["contradicted"] * 3


def test_an_independent_measure_is_undecided() -> None:
    values = planted(1, 1.5) | noise(5, 60, "membership")
    found = claims_of(values, cells(60), "correlation")
    for cause in ("depth", "loss_area", "lipschitz_input"):
        claim = found[cause, "membership"]
        assert claim.finding == "undecided"
        assert claim.estimate is not None
        assert claim.estimate.low < 0 < claim.estimate.high


def test_the_numbers_of_a_correlation_are_those_of_scipy() -> None:
    values = planted(2, 0.3)
    claim = claims_of(values, cells(60), "correlation")["depth", "evasion"]
    theirs = stats.spearmanr(values["depth"], values["evasion"])
    assert claim.estimate is not None
    assert claim.estimate.value == pytest.approx(theirs.statistic, abs=1e-12)
    assert claim.p == pytest.approx(theirs.pvalue, abs=0.02)
    assert (claim.n, claim.n_everywhere, claim.sample) == (60, 60, "random cells")
    ranks = [stats.rankdata(values[key]) for key in ("depth", "evasion", "clean_accuracy", "flops")]
    inverse = np.linalg.inv(np.corrcoef(ranks))
    assert claim.partial is not None
    assert claim.partial.value == pytest.approx(
        -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1]), abs=1e-9
    )


def test_what_a_control_explains_vanishes_when_it_is_held_fixed() -> None:
    """Both follow the FLOPs and nothing else: they go together, and not within the same FLOPs."""
    values = noise(3, 60, "depth", "evasion", "clean_accuracy", "flops")
    values["depth"] += 1.2 * values["flops"]
    values["evasion"] += 1.2 * values["flops"]
    claim = claims_of(values, cells(60), "correlation")["depth", "evasion"]
    assert claim.finding == "contradicted"
    assert claim.partial is not None
    assert claim.partial.low < 0 < claim.partial.high
    assert claim.partial_p is not None
    assert claim.partial_p > 0.05
    direct = planted(3, 1.5)
    kept = claims_of(direct, cells(60), "correlation")["depth", "loss_area"]
    assert kept.partial_p is not None
    assert kept.partial_p < 0.001


def test_without_both_controls_there_is_no_partial_correlation() -> None:
    values = planted(4, 1.0) | noise(4, 60, "early_accuracy")
    found = claims_of(values, cells(60), "correlation")
    assert (
        found["early_accuracy", "clean_accuracy"].partial is None
    )  # accuracy cannot be held fixed for itself
    assert found["early_accuracy", "clean_accuracy"].predicted == "higher"
    del values["flops"]
    assert all(claim.partial is None for claim in claims_of(values, cells(60), "correlation").values())
    assert not any(effect == "flops" for _, effect in found)


def test_the_chain_is_asked_forwards_and_with_the_published_signs() -> None:
    values = noise(6, 60, *ORDER)
    found = claims_of(values, cells(60), "correlation")
    order = ["topology", "convergence", "gradients", "smoothness", "vulnerability", "control"]
    for cause, effect in found:
        assert order.index(PARTS[cause]) < order.index(PARTS[effect])
    assert len(found) == 3 * 2 + 3 * 3 + 3 * 3 + 2 * 3 + 2 * 3 + 11 * 5 + 1
    signs = {pair: found[pair].predicted for pair in (
        ("depth", "loss_area"), ("width", "early_accuracy"), ("skip_share", "gradient_variance"),
        ("loss_area", "hessian_top"), ("hessian_top", "evasion"), ("hessian_top", "poisoning"),
        ("depth", "poisoning"), ("early_accuracy", "backdoor"),
    )}  # fmt: skip
    assert list(signs.values()) == [
        "higher",
        "higher",
        "lower",
        "higher",
        "lower",
        "higher",
        "higher",
        "higher",
    ]


def test_the_verdict_rests_on_random_cells_and_everywhere_counts_all() -> None:
    """The published and hardened cells carry the planted opposite; the verdict does not see it."""
    architectures = cells(60, published=True, hardened=True)
    n = len(architectures)
    values = noise(7, n, "depth", "evasion")
    values["evasion"] -= 2 * values["depth"]
    for k, one in enumerate(architectures):
        if one.group != "random":
            values["depth"][k] = 5 + k
            values["evasion"][k] = 50 + k
    claim = claims_of(values, architectures, "correlation")["depth", "evasion"]
    assert (claim.finding, claim.n, claim.n_everywhere) == ("supported", 60, n)
    theirs = stats.spearmanr(values["depth"], values["evasion"]).statistic
    assert claim.everywhere == pytest.approx(theirs, abs=1e-12)
    assert claim.estimate is not None
    assert claim.estimate.value < -0.5 < 0 < theirs


def test_with_few_random_cells_all_distinct_ones_count_but_no_hardened_one() -> None:
    twin = built(ArchChoice(name="twin", genotype=CATALOGUE["darts"].genotype))
    architectures = (*cells(9, published=True, hardened=True), twin, *named("vgg"))
    values = noise(8, len(architectures), "depth", "evasion")
    claim = claims_of(values, architectures, "correlation")["depth", "evasion"]
    assert (claim.n, claim.sample) == (9 + 10, "all cells but hardened ones")
    assert claim.n_everywhere == len(architectures) - 1


def test_an_architecture_without_a_value_is_left_out() -> None:
    names = [one.name for one in cells(60)]
    depth = {name: float(k % 5) for k, name in enumerate(names)}
    evasion = {name: float(k) for k, name in enumerate(names) if k != 3}
    (claim,) = make_claims([measure("depth", depth), measure("evasion", evasion)], cells(60))
    assert claim.n == 59
    few = {name: value for name, value in evasion.items() if value < 5}
    assert make_claims([measure("depth", depth), measure("evasion", few)], cells(60)) == []


def test_a_constant_measure_has_no_correlation_and_says_so() -> None:
    values = noise(9, 60, "depth", "loss_area", "evasion", "clean_accuracy", "flops")
    values["evasion"][:] = 1.0
    found = claims_of(values, cells(60), "correlation")
    claim = found["depth", "evasion"]
    assert (claim.estimate, claim.p, claim.p_holm, claim.detectable) == (None, None, None, None)
    assert (claim.partial, claim.everywhere, claim.finding) == (None, None, "undecided")
    assert claim.why == "the evasion is the same for all 60"
    assert found["depth", "loss_area"].tested == 1


# Groups ----------------------------------------------------------------------------------------------------------


def shifted(seed: int, architectures: Sequence[ArchSpec], by: float, *keys: str) -> dict[str, np.ndarray]:
    """NAS-designed architectures are `by` standard deviations higher."""
    values = noise(seed, len(architectures), *keys)
    nas = np.array([one.group == "nas" for one in architectures])
    return {key: one + by * nas for key, one in values.items()}


def test_groups_are_compared_along_the_chain() -> None:
    architectures = (*cells(60, published=True), *named(*MANUAL))
    found = claims_of(shifted(0, architectures, 2.5, *ORDER), architectures, "group")
    assert len(found) == 2 * (11 + 5)  # the values of the test give manual ones a topology as well
    higher = {"width", "skip_share", "early_accuracy", "evasion", "backdoor", "extraction", "membership"}
    for (other, effect), claim in found.items():
        assert claim.predicted == ("higher" if effect in higher else "lower")
        assert claim.finding == ("supported" if effect in higher else "contradicted")
        assert claim.n == 10 + (7 if other == "manual" else 60)
    assert found["manual", "depth"].sample == "10 NAS-designed architectures, 7 hand-made architectures"
    assert found["random", "depth"].sample == "10 NAS-designed architectures, 60 random cells"


def test_manual_architectures_have_no_topology_to_compare() -> None:
    architectures = named(*NAS, *MANUAL)
    depth = {name: float(k) for k, name in enumerate(NAS)}
    assert make_claims([measure("depth", depth)], architectures) == []


def test_the_numbers_are_those_of_the_comparison_of_groups() -> None:
    architectures = named(*NAS, *MANUAL)
    values = noise(1, 17, "backdoor")["backdoor"]
    (claim,) = claims_of({"backdoor": values}, architectures, "group").values()
    rows = [
        make_row(one.name, "asr", value, seed=0, group=one.group, attack="badnets")
        for one, value in zip(architectures, values, strict=True)
    ]
    (comparison,) = compare_groups(rows, find_headlines(rows))
    test = comparison.test
    assert test is not None
    assert (claim.estimate, claim.p, claim.p_holm) == (test.difference, test.p, test.p_holm)
    assert claim.detectable == test.detectable_difference
    assert (claim.predicted, claim.n) == (comparison.published, comparison.n_nas + comparison.n_manual)


def test_one_random_cell_is_no_group() -> None:
    architectures = named(*NAS, "random")
    assert claims_of(noise(2, 11, "evasion"), architectures, "group") == {}


# Interventions ---------------------------------------------------------------------------------------------------


def rewired(seed: int, change: float, *keys: str) -> tuple[dict[str, np.ndarray], tuple[ArchSpec, ...]]:
    """Each hardened cell has its original's value, some noise, and the change."""
    architectures = cells(0, published=True, hardened=True)
    values = noise(seed, len(architectures), *keys)
    position = {one.name: k for k, one in enumerate(architectures)}
    for one in values.values():
        for name, k in position.items():
            if "+" in name:
                one[k] = one[position[name.split("+")[0]]] + 0.3 * one[k] + change
    return values, architectures


def test_a_rewiring_that_lowers_vulnerability_is_supported() -> None:
    """The originals differ by more than the change: only in pairs it is seen. Poisoning is published reversed."""
    found = claims_of(*rewired(0, -0.8, "loss_area", "evasion", "poisoning"), "intervention")
    assert set(found) == {
        (how, effect)
        for how in ("deepen", "drop_skips", "both")
        for effect in ("loss_area", "evasion", "poisoning")
    }
    for how in ("deepen", "drop_skips", "both"):
        assert (found[how, "evasion"].predicted, found[how, "evasion"].finding) == ("lower", "supported")
        assert (found[how, "poisoning"].predicted, found[how, "poisoning"].finding) == (
            "higher",
            "contradicted",
        )
        assert (found[how, "loss_area"].predicted, found[how, "loss_area"].finding) == (
            "higher",
            "contradicted",
        )
        assert found[how, "evasion"].n == 10


def test_the_numbers_of_an_intervention_are_those_of_the_paired_t_test() -> None:
    values, architectures = rewired(1, -0.2, "evasion")
    claim = claims_of(values, architectures, "intervention")["deepen", "evasion"]
    by_name = dict(zip((one.name for one in architectures), values["evasion"], strict=True))
    after, before = zip(*((by_name[f"{name}+deepen"], by_name[name]) for name in NAS), strict=True)
    theirs = stats.ttest_rel(after, before)
    interval = theirs.confidence_interval(0.95)
    assert claim.estimate is not None
    assert (claim.estimate.low, claim.estimate.high) == (
        pytest.approx(interval.low),
        pytest.approx(interval.high),
    )
    assert claim.p == pytest.approx(theirs.pvalue, abs=0.03)


def test_a_rewiring_without_effect_is_undecided_and_topology_is_not_asked() -> None:
    found = claims_of(*rewired(2, 0.0, "depth", "evasion", "clean_accuracy"), "intervention")
    assert {effect for _, effect in found} == {"evasion"}
    assert {claim.finding for claim in found.values()} == {"undecided"}


def test_pairs_without_both_ends_are_left_out() -> None:
    values, architectures = rewired(3, -1.0, "evasion")
    by_name = {one.name: float(value) for one, value in zip(architectures, values["evasion"], strict=True)}
    for name in NAS[:4]:
        del by_name[name]
    claims = [
        one for one in make_claims([measure("evasion", by_name)], architectures) if one.kind == "intervention"
    ]
    assert [claim.n for claim in claims] == [6, 6, 6]
    del by_name[NAS[4]], by_name[NAS[5]]
    assert not [
        one for one in make_claims([measure("evasion", by_name)], architectures) if one.kind == "intervention"
    ]


# What is said of all of them -------------------------------------------------------------------------------------


def test_holm_corrects_within_a_kind_and_a_link() -> None:
    architectures = (*cells(60, published=True, hardened=True), *named(*MANUAL))
    values = shifted(4, architectures, 0.8, *ORDER)
    links: dict[tuple[str, str, str, str], list[Claim]] = {}
    for claim in make_claims(measures(values, architectures), architectures):
        cause = PARTS.get(claim.cause, "")
        links.setdefault((claim.kind, claim.other, cause, PARTS[claim.effect]), []).append(claim)
    # 2 x 5 of groups, 9 + 1 of correlations, 4 of interventions
    assert len(links) == 10 + 10 + 4
    for claims in links.values():
        ps = [claim.p or 0 for claim in claims]
        assert [claim.p_holm for claim in claims] == holm(ps)
        assert {claim.tested for claim in claims} == {len(claims)}
    assert {claim.finding for claims in links.values() for claim in claims} == {
        "supported",
        "contradicted",
        "undecided",
    }


def test_the_detectable_effect_is_that_of_a_claim_that_stands_alone() -> None:
    """The more claims a link has, the larger an effect must be."""
    alone = claims_of(noise(5, 60, "depth", "evasion"), cells(60), "correlation")["depth", "evasion"]
    among = claims_of(noise(5, 60, *ORDER), cells(60), "correlation")["depth", "evasion"]
    assert (alone.tested, among.tested) == (1, 15)
    assert alone.detectable is not None
    assert among.detectable is not None
    assert alone.detectable == pytest.approx(0.358, abs=0.001)
    assert among.detectable == pytest.approx(0.469, abs=0.001)


def test_a_small_study_claims_nothing_and_costs_nothing() -> None:
    architectures = named("darts", "vgg")
    values = measures(noise(6, 2, *ORDER), architectures)
    start = perf_counter()
    assert make_claims(values, architectures) == []
    assert perf_counter() - start < 0.1
    assert make_claims([], []) == []


def test_a_population_takes_seconds_and_the_same_study_says_the_same() -> None:
    architectures = (*cells(60, published=True, hardened=True), *named(*MANUAL))
    values = measures(noise(7, len(architectures), *ORDER), architectures)
    start = perf_counter()
    claims = make_claims(values, architectures)
    assert perf_counter() - start < 15  # 1.3 s on a core of its own
    assert len(claims) == 92 + 2 * 16 + 3 * 13
    assert all(
        np.isfinite([*claim.estimate.model_dump().values()]).all() for claim in claims if claim.estimate
    )
    some = [one for one in values if one.key in ("depth", "evasion")]
    assert make_claims(some, architectures) == make_claims(some, architectures)


def test_two_hundred_studies_without_a_link_claim_one_in_no_more_than_seven_of_a_hundred() -> None:
    """60 random cells with depths as they have them; three links of one claim each, so 600 tests at level .05."""
    findings = []
    for seed in range(200):
        values = {key: planted(seed, 0.0)[key] for key in ("depth", "loss_area", "evasion")}
        claims = claims_of(values, cells(60), "correlation")
        assert {claim.tested for claim in claims.values()} == {1}
        findings.append([claim.finding != "undecided" for claim in claims.values()])
    assert np.shape(findings) == (200, 3)
    assert np.mean(findings) <= 0.07


@pytest.mark.slow
def test_within_each_link_a_false_claim_is_rare_however_many_are_tested() -> None:
    """All measures, independent: in 5 % of studies a link has any claim that is decided; 40 studies, 10 links."""
    false: dict[tuple[str, str], set[int]] = {}
    for seed in range(40):
        for (cause, effect), claim in claims_of(noise(seed, 60, *ORDER), cells(60), "correlation").items():
            studies = false.setdefault((PARTS[cause], PARTS[effect]), set())
            studies |= {seed} if claim.finding != "undecided" else set()
    rates = [len(studies) / 40 for studies in false.values()]
    assert len(rates) == 10
    assert np.mean(rates) <= 0.07
    assert max(rates) <= 0.175


@pytest.mark.slow
def test_a_link_of_the_size_that_could_be_seen_is_found_four_times_in_five() -> None:
    r = 2 * np.sin(np.pi * 0.3583 / 6)
    found = 0
    for seed in range(400):
        values = noise(seed, 60, "hessian_top", "evasion")
        values["evasion"] = np.sqrt(1 - r * r) * values["evasion"] - r * values["hessian_top"]
        (claim,) = claims_of(values, cells(60), "correlation").values()
        found += claim.finding == "supported"
    assert 0.75 < found / 400 < 0.86
