"""Which rows a family is judged by, and that every part of the program names the same ones."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasaudit.api import Audit, load_audit
from nasaudit.arch.catalogue import resolve
from nasaudit.gate.rule_rows import NoSuchRowError, select
from nasaudit.report.evidence import Evidence
from nasaudit.report.format import estimate
from nasaudit.report.sections.comparison import findings
from nasaudit.report.sections.families.all import FAMILIES as SHOWN
from nasaudit.report.sections.families.evasion import Threat
from nasaudit.results.folder import StudyFolder
from nasaudit.results.provenance import Provenance
from nasaudit.results.schema import Headline, Row, StudyResults
from nasaudit.results.selection import figures, key_of, on_common_images
from nasaudit.spec.attacks import FAMILIES, Family
from nasaudit.spec.policy import RuleSpec
from nasaudit.spec.recipes import recipe
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.verdicts.decide import decide
from nasaudit.verdicts.groups import compare_groups
from nasaudit.verdicts.headlines import DIRECTIONS, WISHES, find_headlines

CURVE = {"norm": "linf", "goal": "untargeted", "images": "common"}
NAS = ("darts", "enas", "nasnet", "snas")
MANUAL = ("resnet", "vgg", "bit", "dla")


def row(architecture: str, value: float, seed: int | str = "all", **changes: object) -> Row:
    group = "nas" if architecture.startswith(NAS) else "random" if architecture == "random" else "manual"
    fields = {
        "architecture": architecture, "group": group, "data": "mnist5k", "scale": "mini", "seed": seed,
        "protocol": "sound", "family": "evasion", "attack": "pgd", "setting": CURVE, "metric": "curve_area",
        "value": value, "low": value - 0.01, "high": value + 0.01, "n": 500, "unit": "fraction",
    }  # fmt: skip
    return Row.model_validate({**fields, **changes})


def badnets(architecture: str, value: float, seed: int | str = "all", **setting: str) -> Row:
    return row(architecture, value, seed, family="backdoor", attack="badnets", metric="asr", setting=setting)


def knockoff(architecture: str, value: float, **setting: str) -> Row:
    setting = {"labels": "soft", "pool": "pool", **setting}
    return row(
        architecture, value, family="extraction", attack="knockoff", metric="agreement", setting=setting
    )


def membership(attack: str, value: float, metric: str = "auc", **setting: str) -> Row:
    return row("darts", value, family="membership", attack=attack, metric=metric, setting=setting)


def find_headline(rows: Sequence[Row], family: Family) -> Headline | None:
    return next((headline for headline in find_headlines(rows) if headline.family == family), None)


def headline_rows(rows: Sequence[Row], family: Family) -> dict[str, Row] | None:
    headline = find_headline(rows, family)
    return None if headline is None else headline.rows


def test_every_family_has_a_headline_and_a_direction() -> None:
    assert set(WISHES) == set(DIRECTIONS) == set(FAMILIES)
    assert [family for family in FAMILIES if DIRECTIONS[family].sign == "lower"] == ["poisoning"]


def test_evasion_is_judged_by_the_untargeted_linf_curve_on_common_images() -> None:
    wanted = row("darts", 0.4)
    others = [
        row("darts", 0.1, setting={**CURVE, "goal": "least_likely"}),
        row("darts", 0.2, setting={**CURVE, "norm": "l2"}),
        row("darts", 0.3, setting={**CURVE, "images": "correct"}),
        row("darts", 0.5, metric="asr", setting={**CURVE, "epsilon": "8/255"}),
        row("darts", 0.6, attack="nes"),
    ]
    assert headline_rows([*others, wanted], "evasion") == {"darts": wanted}
    assert headline_rows(others, "evasion") == {"darts": others[2]}  # no image is common to all models
    rest = [other for other in others if other is not others[2]]
    assert headline_rows(rest, "evasion") == {"darts": others[4]}  # another attack at the same threat
    rest.remove(others[4])
    assert headline_rows(rest, "evasion") == {"darts": others[1]}  # another norm rather than another goal
    assert headline_rows(others[3:4], "evasion") == {"darts": others[3]}


def test_the_published_evasion_is_judged_by_its_only_epsilon() -> None:
    setting = {"norm": "linf", "goal": "least_likely", "images": "all", "epsilon": "8/255"}
    published = row("darts", 0.9, metric="asr", protocol="paper", setting=setting)
    assert headline_rows([published], "evasion") == {"darts": published}
    untargeted = row("darts", 0.5, attack="apgd", protocol="paper")
    assert headline_rows([untargeted, published], "evasion") == {"darts": published}
    sound = published.model_copy(update={"protocol": "sound"})
    assert headline_rows([untargeted, sound], "evasion") == {"darts": untargeted}


def test_poisoning_is_judged_at_the_largest_fraction() -> None:
    changes = {"family": "poisoning", "attack": "label_flip", "metric": "cad"}
    rows = [row("darts", 0.1, setting={"fraction": text}, **changes) for text in ("0", "0.4", "0.05", "0.1")]
    found = find_headline(rows, "poisoning")
    assert found is not None
    assert found.setting == {"fraction": "0.4"}


def test_the_first_badnets_of_the_study_stands_for_backdoors() -> None:
    rows = [badnets("darts", 0.8, size="3"), badnets("darts", 0.99, size="5"), badnets("vgg", 0.7, size="3")]
    found = headline_rows(rows, "backdoor")
    assert found is not None
    assert {name: one.value for name, one in found.items()} == {"darts": 0.8, "vgg": 0.7}


def test_extraction_is_judged_by_the_fixed_surrogate_at_the_largest_budget() -> None:
    rows = [
        knockoff("darts", 0.1, surrogate="same", budget="6000"),
        knockoff("darts", 0.2, surrogate="resnet", budget="750"),
        knockoff("darts", 0.3, surrogate="resnet", budget="3000"),
        knockoff("darts", 0.4, surrogate="resnet", budget="9000", labels="hard"),
        knockoff("darts", 0.5, surrogate="resnet", budget="9000", pool="other"),
    ]
    found = headline_rows(rows, "extraction")
    assert found is not None
    assert found["darts"].value == 0.3
    alone = headline_rows(rows[:1], "extraction")
    assert alone is not None
    assert alone["darts"].value == 0.1


def test_a_theft_from_a_victim_that_rounds_is_the_headline_only_where_there_is_no_other() -> None:
    rows = [
        knockoff("darts", 0.1, surrogate="resnet", budget="9000", answers="1 decimal"),
        knockoff("darts", 0.2, surrogate="resnet", budget="9000", answers="top 3"),
        knockoff("darts", 0.3, surrogate="same", budget="750"),
    ]
    for order in (rows, rows[::-1]):
        found = headline_rows(order, "extraction")
        assert found is not None
        assert found["darts"].value == 0.3
    alone = headline_rows(rows[:1], "extraction")
    assert alone is not None
    assert alone["darts"].value == 0.1


def test_membership_is_judged_by_the_strongest_attack_that_was_run() -> None:
    rows = [
        membership("gap", 0.5),
        membership("loss_threshold", 0.6),
        membership("rmia", 0.7, mode="offline"),
        membership("lira", 0.8, mode="offline"),
        membership("lira", 0.9, mode="online"),
        membership("lira", 0.3, metric="tpr_at_fpr", mode="online"),
    ]
    for last, value in ((5, 0.9), (4, 0.8), (3, 0.7), (2, 0.6), (1, 0.5)):
        found = headline_rows(rows[:last], "membership")
        assert found is not None
        assert found["darts"].value == value


def test_the_choice_does_not_hang_on_the_values() -> None:
    rows = [knockoff("darts", value, surrogate=s, budget=b) for value, s, b in
            ((0.9, "same", "750"), (0.1, "resnet", "750"), (0.5, "resnet", "3000"))]  # fmt: skip
    swapped = [one.model_copy(update={"value": 1 - one.value}) for one in rows]
    first, second = find_headline(rows, "extraction"), find_headline(swapped, "extraction")
    assert first is not None
    assert second is not None
    assert (first.attack, first.setting) == (second.attack, second.setting)


def test_the_pooled_row_counts_and_its_seeds_are_its_models() -> None:
    rows = [row("darts", 0.1, seed=0), row("darts", 0.3, seed=1), row("darts", 0.2), row("vgg", 0.5, seed=7)]
    found = find_headline(rows, "evasion")
    assert found is not None
    assert {name: (one.value, found.models[name]) for name, one in found.rows.items()} == {
        "darts": (0.2, 2), "vgg": (0.5, 1),
    }  # fmt: skip


def test_seeds_that_nobody_pooled_are_no_estimate() -> None:
    lonely = [row("darts", 0.1, seed=0), row("darts", 0.3, seed=1)]
    assert headline_rows(lonely, "evasion") is None
    assert compare_groups(lonely, find_headlines(lonely)) == []


def test_an_attack_on_a_few_targets_is_not_judged_by_the_accuracy_lost() -> None:
    poison = {"family": "poisoning", "metric": "cad", "setting": {"fraction": "0.01"}}
    aimed = [row(name, 0.1, attack="gradient_matching", **poison) for name in ("darts", "resnet")]
    results = studied(aimed)
    assert results.headlines == results.standings == results.comparisons == results.variables == []
    blind = row("darts", 0.2, attack="a_plugin", **poison)
    assert headline_rows([*aimed, blind], "poisoning") == {"darts": blind}


def test_a_published_sign_is_claimed_only_for_what_was_published() -> None:
    poison = {"family": "poisoning", "metric": "cad", "setting": {"fraction": "0.4"}}
    values = {"darts": 0.1, "enas": 0.11, "nasnet": 0.12, "snas": 0.13}
    values |= {"resnet": 0.3, "vgg": 0.31, "bit": 0.32, "dla": 0.33}
    for attack, published, finding in (("label_flip", "lower", "supports"), ("a_plugin", None, "differs")):
        rows = [row(name, value, attack=attack, **poison) for name, value in values.items()]
        results = studied(rows, list(values))
        (headline,), (comparison,), (standing,) = results.headlines, results.comparisons, results.standings
        assert headline.published == comparison.published == results.variables[0].favoured == published
        assert comparison.test is not None
        assert comparison.test.finding == finding
        assert (standing.pairs, standing.agree) == ((16, 16) if published else (0, 0))
        said = said_of(results, "poisoning")
        assert ("published direction" in said) is (published is not None)
        assert ("nothing was published" in said.lower()) is (published is None)
        assert [claim.effect for claim in results.claims] == ["poisoning"] * (published is not None)


def test_any_attack_of_a_family_makes_a_headline() -> None:
    brewed = row(
        "darts", 0.1, family="poisoning", attack="a_poison", metric="cad", setting={"fraction": "0.01"}
    )
    planted = badnets("darts", 0.8).model_copy(update={"attack": "a_plugin"})
    stolen = knockoff("darts", 0.7, budget="100").model_copy(update={"attack": "another_plugin"})
    for of_family in ([brewed], [planted], [stolen], [membership("gap", 0.5)]):
        (headline,) = find_headlines(of_family)
        assert headline.rows == {"darts": of_family[0]}
    known = badnets("darts", 0.9).model_copy(update={"attack": "wanet"})
    assert headline_rows([planted, known], "backdoor") == {"darts": known}


def test_a_rate_is_the_headline_at_the_epsilon_that_is_quoted() -> None:
    rows = [
        row("darts", 0.1 * k, metric="asr", setting={**CURVE, "epsilon": epsilon})
        for k, epsilon in enumerate(("2/255", "8/255", "16/255"))
    ]
    headline = find_headline(rows, "evasion")
    assert headline is not None
    assert (headline.measure, headline.positions) == ("attack success rate at 8/255", {"darts": 1})


# One headline for all -------------------------------------------------------------------------------------------

NAMES = ("darts", "enas", "resnet", "vgg")
EVASION = [
    ("evasion", attack, {"norm": norm, "goal": goal})
    for attack, norm, goal in (
        ("pgd", "linf", "untargeted"), ("pgd", "linf", "least_likely"), ("apgd", "linf", "untargeted"),
        ("square", "l2", "untargeted"), ("a_plugin", "linf", "untargeted"),
    )
]  # fmt: skip
OTHERS = [
    ("poisoning", "label_flip", {}),
    ("poisoning", "gradient_matching", {}),
    ("backdoor", "badnets", {"size": "3"}),
    ("backdoor", "badnets", {"size": "5"}),
    ("backdoor", "imc", {}),
    ("extraction", "knockoff", {"surrogate": "same", "labels": "soft", "pool": "pool"}),
    ("extraction", "knockoff", {"surrogate": "resnet", "labels": "soft", "pool": "pool"}),
    ("extraction", "knockoff", {"surrogate": "resnet", "labels": "hard", "pool": "pool"}),
    ("extraction", "knockoff_adaptive", {"surrogate": "resnet", "labels": "soft", "pool": "pool"}),
    ("membership", "gap", {}),
    ("membership", "lira", {"mode": "offline"}),
    ("membership", "rmia", {"mode": "offline"}),
]
VARYING = {"poisoning": ("fraction", ("0.1", "0.4")), "extraction": ("budget", ("100", "1000"))}
METRICS = {"poisoning": "cad", "backdoor": "asr", "extraction": "agreement", "membership": "auc"}


def settings_of(family: str, identity: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Metric and setting of each figure that one attack leaves."""
    if family == "evasion":
        return [
            (metric, {**at, **identity, "images": images})
            for images in ("all", "correct", "common")
            for metric, at in (
                ("asr", {"epsilon": "8/255"}),
                ("asr", {"epsilon": "4/255"}),
                ("curve_area", {}),
            )
            if (metric, images) != ("curve_area", "all")
        ]
    key, values = VARYING.get(family, ("", ("",)))
    return [(METRICS[family], {**({key: value} if key else {}), **identity}) for value in values]


def studied(
    rows: Sequence[Row], names: Sequence[str] = ("darts", "resnet"), seeds: Sequence[int] = (0,)
) -> StudyResults:
    results = StudyResults(
        study=StudySpec(name="s", architectures=tuple(ArchChoice(name=name) for name in names), seeds=tuple(seeds)),
        architectures=[resolve(ArchChoice(name=name), "mini", 10, (1, 28, 28)) for name in names],
        provenance=Provenance(data_sha256="", indices={}, division="drawn", weights={}, given=[]),
        training=recipe("mini", "sound", "mnist5k", 1), class_names=[str(digit) for digit in range(10)],
        rows=[row.model_copy(update={"low": max(row.low, 0.0), "high": min(row.high, 1.0)}) for row in rows],
        histories=[], examples=[], failures=[], flags=[], environment={}, seconds={},
    )  # fmt: skip
    return decide(results)


@st.composite
def studies(draw: st.DrawFn) -> StudyResults:
    """Several attacks with several settings on several architectures, of which any row may be missing."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    seeds = draw(st.sampled_from(((0,), (0, 1))))
    attacks = draw(st.lists(st.sampled_from([*EVASION, *OTHERS]), unique_by=str, max_size=8))
    chance = draw(st.randoms(use_true_random=False))
    lost = draw(st.sampled_from((0.0, 0.2, 0.8)))
    rows: list[Row] = []
    for name in names:
        for family, attack, identity in attacks:
            for metric, setting in settings_of(family, identity):
                for seed in (*seeds, *(("all",) if len(seeds) > 1 else ())):
                    value = chance.randrange(91) / 100
                    changes = {"family": family, "attack": attack, "metric": metric, "setting": setting}
                    changes["unit"] = "auc" if metric == "auc" else "fraction"
                    rows.append(row(name, value, seed, **changes))
    return studied([one for one in rows if chance.random() >= lost], names, seeds)


def said_of(results: StudyResults, family: Family) -> str:
    """Everything that the report says when it compares the architectures by a family."""
    (shown,) = [one for one in SHOWN if one.name == family]
    compared = findings(Evidence(results, Path()), shown)
    return " ".join(" ".join((finding.title, *finding.sentences)) for finding in compared)


def by_the_gate(results: StudyResults, family: Family, **check: object) -> set[object] | None:
    rule = RuleSpec.parse({"family": family, "metric": "headline", **check})
    try:
        return {figure.key for figure in select(rule, results)}
    except NoSuchRowError:
        return None


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(results=studies())
def test_report_gate_api_and_results_name_the_same_headline(
    results: StudyResults, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("study")
    StudyFolder(folder).write(results, "")
    loaded: Audit = load_audit(folder)
    assert loaded.results.headlines == results.headlines
    evidence = Evidence(loaded.results, folder)
    measured = {
        key.family
        for key in figures(results.rows)
        if key.metric in {"asr", "curve_area", *METRICS.values()} and key.attack != "gradient_matching"
    }
    assert [headline.family for headline in results.headlines] == [one for one in FAMILIES if one in measured]
    threats = {
        threat.family: {each.architecture: each.position for each in threat.figures}
        for threat in results.threats
    }
    for shown in SHOWN:
        family: Family = next(one for one in FAMILIES if one == shown.name)
        headline = loaded.results.headline(family)
        compared = {one.family: one for one in results.comparisons}
        variables = {one.key: one for one in results.variables}
        if headline is None:
            assert family not in compared
            assert family not in variables
            assert said_of(results, family) == ""
            assert all(shown.quote(evidence, subject) == "" for subject in evidence.subjects)
            assert threats[family] == {}
            continue
        rows = headline.rows
        assert rows == {name: results.rows[place] for name, place in headline.positions.items()}
        values = {name: one.value for name, one in rows.items()}
        # Groups and claims.
        assert (compared[family].attack, compared[family].setting) == (headline.attack, headline.setting)
        assert {one.architecture: one.value for one in compared[family].values} == values
        assert variables[family].values == values
        # The gate.
        everywhere = rows.keys() == {spec.name for spec in results.architectures}
        selected = by_the_gate(results, family, at_most=1)
        assert selected == ({key_of(one) for one in rows.values()} if everywhere else None)
        # The report: the sentence of the comparison, and the first screen.
        said = said_of(results, family)
        if len(rows) > 1:
            low, high = (pick(rows.values(), key=lambda one: one.value) for pick in (min, max))
            assert estimate(low) in said
            assert estimate(high) in said
        if headline.metric != "curve_area":
            assert threats[family] == headline.positions
        if family == "evasion":
            threat = Threat.judged(headline)
            assert (threat.attack, threat.setting.items() <= headline.setting.items()) == (
                headline.attack,
                True,
            )
    if not figures(results.rows):
        return
    # Two studies are compared by the same, without images that another study does not have.
    between = {key_of(one) for headline in results.headlines_between for one in headline.rows.values()}
    assert not any(on_common_images(key) for key in between)
    same = [one for one in results.headlines if one.setting.get("images") != "common"]
    assert all(one in results.headlines_between for one in same)


@pytest.mark.parametrize("order", [1, -1])
def test_a_budget_does_not_change_which_theft_is_quoted(order: int) -> None:
    rows = [
        knockoff(name, value, surrogate=surrogate, budget=budget)
        for name, shift in (("darts", 0.0), ("resnet", 0.1))
        for value, surrogate, budget in (
            (0.5 + shift, "same", "100"), (0.6 + shift, "same", "1000"), (0.7 + shift, "resnet", "1000"),
        )[::order]
    ]  # fmt: skip
    said = said_of(studied(rows), "extraction")
    assert (
        "agreement of a copy after 1,000 queries (surrogate: resnet for every victim)".lower() in said.lower()
    )
    assert estimate(next(one for one in rows if one.value == 0.7)) in said


def test_another_untargeted_attack_is_quoted_rather_than_pgd_at_another_goal() -> None:
    rows = [
        row(name, value, attack=attack, setting={**CURVE, "goal": goal})
        for name in ("darts", "resnet")
        for value, attack, goal in ((0.5, "pgd", "least_likely"), (0.6, "apgd", "untargeted"))
    ]
    results = studied(rows)
    headline = results.headline("evasion")
    assert headline is not None
    assert (headline.attack, headline.setting) == ("apgd", CURVE)
    assert "(APGD, linf, any wrong class)" in said_of(results, "evasion")
    assert by_the_gate(results, "evasion", at_most=1) == {key_of(one) for one in headline.rows.values()}
