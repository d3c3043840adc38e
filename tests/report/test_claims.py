"""What the page says of the explanation: each verdict and each number against the claim behind it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from nasaudit.report import write_report
from nasaudit.report.evidence import Evidence
from nasaudit.report.format import NBSP
from nasaudit.report.sections.claim_rows import Line
from nasaudit.report.sections.claims import FINDINGS, LINKS, Block, section, summary
from nasaudit.results.base import Span
from nasaudit.results.schema import StudyResults
from nasaudit.results.verdict_models import Claim, Variable
from nasaudit.verdicts.links import judge_links

TITLES = {
    "depth": ("depth of the normal cell", "topology", "edges"),
    "loss_area": ("mean training loss", "convergence", "nats"),
    "early_accuracy": ("early accuracy", "convergence", "fraction"),
    "gradient_variance": ("gradient variance", "gradients", "squared gradient"),
    "hessian_top": ("largest curvature", "smoothness", "1"),
    "evasion": ("success rate", "vulnerability", "fraction"),
    "clean_accuracy": ("clean test accuracy", "control", "fraction"),
}
MEASURES = [
    Variable(key=key, title=title, part=part, favoured="higher", unit=unit, metric=key, values={"darts": 1.0})
    for key, (title, part, unit) in TITLES.items()
]
HOSTILE = "<script>alert(1)</script>'\"&amp;{{7*7}}"

Shown = Callable[..., StudyResults]


def claim(finding: str = "undecided", value: float = 0.4, **changes: object) -> Claim:
    fields = {
        "kind": "correlation", "cause": "depth", "effect": "loss_area", "other": "", "sample": "random cells",
        "predicted": "higher", "estimate": Span(value=value, low=value - 0.1, high=value + 0.2), "n": 60, "p": 0.0123,
        "p_holm": 0.0456, "tested": 6, "detectable": 0.44, "finding": finding,
    }  # fmt: skip
    return Claim.model_validate({**fields, **changes})


def nothing(**changes: object) -> Claim:
    absent = {"estimate": None, "p": None, "p_holm": None, "detectable": None}
    return claim(**{"why": "the depth is the same for all 7", **absent, **changes})


@pytest.fixture
def study(make_study) -> Shown:
    def make(*claims: Claim, measures: list[Variable] = MEASURES, **changes: object) -> StudyResults:
        made = make_study(**{"architectures": ("darts",), "attacks": False, "histories": False, **changes})
        return made.model_copy(
            update={"variables": measures, "claims": list(claims), "links": judge_links(claims, measures)}
        )

    return make


def blocks(results: StudyResults) -> dict[str, Block]:
    shown = section(Evidence(results, Path()))
    assert shown is not None
    return {block.link.name: block for block in shown.content["blocks"]}


def only(results: StudyResults) -> Line:
    (line,) = [line for block in blocks(results).values() for line in (*block.decided, *block.undecided)]
    return line


def read(line: Line) -> list[str]:
    return [" | ".join((entry.text, *entry.notes)).replace(NBSP, " ") for entry in line.cells]


def test_no_measures_no_page(study: Shown) -> None:
    nothing = Evidence(study(measures=[]), Path())
    assert section(nothing) is None
    assert summary(nothing) == ()


def test_measures_without_claims_say_what_a_claim_takes(study: Shown) -> None:
    few = Evidence(study(), Path())
    assert section(few) is None
    assert "at least 2 NAS-designed and 2 hand-made architectures, or 5 cells" in summary(few)[1]


def test_a_correlation_in_words_and_numbers(study: Shown) -> None:
    line = only(
        study(
            claim(
                "supported",
                partial=Span(value=0.31, low=0.05, high=0.5),
                partial_p=0.021,
                everywhere=0.36,
                n_everywhere=100,
            )
        )
    )
    assert line.kind == "across cells"
    assert line.asked == "The higher the depth of the normal cell, the higher the mean training loss"
    assert (line.finding, line.talk, line.measured) == ("supported", ("↗", "rises"), ("↗", "rises"))
    assert read(line) == [
        "ρ +0.40 | [0.30, 0.60] | all 100 cells: +0.36",
        "60 | random cells",
        "ρ +0.31 | [0.05, 0.50] | p 0.021",
        "0.046 | alone 0.012 | 6 tests",
        "ρ 0.44",
    ]


def test_a_difference_of_groups_is_said_in_the_unit_of_its_measure(study: Shown) -> None:
    changes = {"kind": "group", "cause": "nas", "effect": "evasion", "other": "manual", "n": 17}
    line = only(study(claim("contradicted", -0.05, **changes, detectable=0.08)))
    assert line.kind == "NAS against hand-made"
    assert line.asked == "NAS-designed models against hand-made ones: a higher success rate"
    assert (line.talk, line.measured) == (("↑", "higher"), ("↓", "lower"))
    assert read(line)[0] == "-5.0 points | [-15.0, 15.0]"
    assert read(line)[-1] == "8.0 points"


def test_an_intervention_names_what_was_rewired(study: Shown) -> None:
    changes = {"kind": "intervention", "cause": "drop_skips", "predicted": "lower", "effect": "loss_area"}
    line = only(study(claim("undecided", 0.012345, **changes, detectable=None)))
    assert line.kind == "rewired minus original"
    assert line.asked == "Putting convolutions in the place of skips lowers the mean training loss"
    assert (line.talk, line.measured) == (("↓", "falls"), ("↑", "rises"))
    assert read(line)[0] == "+0.0123 | [-0.0877, 0.212] nats"
    assert read(line)[-1] == "nothing"


def test_a_claim_without_an_estimate_says_why(study: Shown) -> None:
    line = only(study(nothing(sample="")))
    assert (line.finding, line.measured) == ("undecided", ("", "–"))
    assert {entry.text for entry in line.cells} == {"60", "–"}
    assert line.why == "The depth is the same for all 7"


def test_an_effect_of_zero_has_no_direction(study: Shown) -> None:
    assert only(study(claim(value=0.0))).measured == ("→", "no trend")


@pytest.mark.parametrize(
    ("changes", "link"),
    [
        ({"kind": "group", "cause": "nas", "effect": "depth"}, "shape"),
        ({"cause": "early_accuracy", "effect": "clean_accuracy"}, "shape"),
        ({"cause": "depth", "effect": "loss_area"}, "speed"),
        ({"kind": "intervention", "cause": "deepen", "effect": "loss_area"}, "speed"),
        ({"cause": "depth", "effect": "hessian_top"}, "smooth"),
        ({"cause": "loss_area", "effect": "gradient_variance"}, "smooth"),
        ({"cause": "gradient_variance", "effect": "evasion"}, "harm"),
        ({"cause": "hessian_top", "effect": "evasion"}, "harm"),
        ({"cause": "depth", "effect": "evasion"}, "ends"),
        ({"kind": "group", "cause": "nas", "effect": "evasion"}, "ends"),
        ({"kind": "intervention", "cause": "both", "effect": "evasion"}, "ends"),
        ({"cause": "a_new_one", "effect": "unheard_of"}, "ends"),
    ],
)
def test_every_claim_has_its_link(study: Shown, changes: dict[str, str], link: str) -> None:
    assert list(blocks(study(claim(**changes)))) == [link]


@pytest.mark.parametrize(
    ("findings", "outcome", "words"),
    [
        (("supported", "supported", "undecided"), "supported", "supported"),
        (("supported", "undecided"), "supported", "supported"),
        (("supported", "undecided", "undecided"), "supported", "supported in part"),
        (("contradicted",), "contradicted", "contradicted"),
        (("contradicted", "undecided", "undecided", "undecided"), "contradicted", "contradicted in part"),
        (("contradicted", "supported", "undecided", "undecided", "undecided"), "divided", "divided"),
        (("supported", *("undecided",) * 4), "mostly undecided", "mostly undecided"),
        (("undecided", "undecided"), "undecided", "undecided"),
    ],
)
def test_a_link_is_what_its_rows_are(study: Shown, findings, outcome: str, words: str) -> None:
    block = blocks(study(*map(claim, findings)))["speed"]
    assert (block.outcome, block.in_words) == (outcome, words)
    assert [block.count[finding] for finding in FINDINGS] == [findings.count(one) for one in FINDINGS]
    assert len(block.decided) + len(block.undecided) == block.total == len(findings)
    assert {line.finding for line in block.undecided} <= {"undecided"}


def test_two_sentences_say_what_holds_and_what_does_not(study: Shown) -> None:
    said = summary(
        Evidence(
            study(
                claim("supported"),
                claim("contradicted", effect="hessian_top"),
                claim("undecided", effect="hessian_top"),
                claim("undecided", effect="hessian_top"),
                claim("supported", effect="evasion"),
                claim("contradicted", effect="evasion"),
                claim("undecided", cause="hessian_top", effect="evasion"),
            ),
            Path(),
        )
    )
    assert said == (
        "This study supports that shallow, wide cells with many skips converge fast (1 supported of 1 claim), and "
        "contradicts that cells that converge fast have a smooth loss and a low gradient variance (1 contradicted "
        "of 3 claims).",
        "It is divided on whether models designed by NAS, and cells of the shape it favours, are more vulnerable "
        "(1 supported and 1 contradicted of 2 claims), and leaves open whether a smooth loss and a low gradient "
        "variance make a model more vulnerable; in all, 2 supported, 2 contradicted and 3 undecided of 7 claims.",
    )


def test_a_study_that_goes_against_the_talk_says_so(study: Shown) -> None:
    said = summary(Evidence(study(claim("contradicted"), claim("contradicted")), Path()))
    assert said == (
        "This study supports no link of the explanation, and contradicts that shallow, wide cells with many skips "
        "converge fast (2 contradicted of 2 claims).",
        "In all, 0 supported, 2 contradicted and 0 undecided of 2 claims.",
    )


def test_a_few_decided_of_many_are_no_verdict(study: Shown) -> None:
    said = summary(Evidence(study(claim("supported"), *[claim()] * 9), Path()))
    assert said == (
        "This study supports no link of the explanation, and contradicts none.",
        "It leaves mostly open whether shallow, wide cells with many skips converge fast (1 supported of 10 claims); "
        "in all, 1 supported, 0 contradicted and 9 undecided of 10 claims.",
    )


def test_the_page_has_every_row_and_folds_the_undecided(study: Shown, tmp_path: Path) -> None:
    results = study(
        claim("supported"), claim("contradicted", cause="nas", kind="group", other="random"), nothing()
    )
    source = write_report(results, tmp_path).read_text(encoding="utf-8")
    page = source[source.index('<section id="claims"') :]
    page = page[: page.index("</section>")]
    folded = page[page.index("1 undecided</summary>") :]
    assert len(re.findall(r"<tr>\s*<th scope=\"row\">", page)) == 3
    assert len(re.findall(r"<tr>\s*<th scope=\"row\">", folded)) == 1
    for row, finding in zip(
        re.findall(r"<tr>\s*<th scope=\"row\">.*?</tr>", page, re.DOTALL),
        ("contradicted", "supported", "undecided"),
        strict=True,
    ):
        verdict = re.findall(r"<td.*?</td>", row, re.DOTALL)[0]
        assert f"<b>{finding}</b>" in verdict
        assert f'<svg class="mark {finding}"' in verdict
    assert page.count("<b>not tested</b>") == len(LINKS) - 1


def test_whatever_stands_in_a_claim_stays_text(study: Shown, tmp_path: Path) -> None:
    measures = [one.model_copy(update={"title": HOSTILE}) for one in MEASURES]
    hostile = study(
        claim(sample=HOSTILE), nothing(why=HOSTILE), claim("supported", kind="intervention", cause=HOSTILE),
        claim(kind="group", cause="nas", other=HOSTILE), measures=measures,
    )  # fmt: skip
    source = write_report(hostile, tmp_path).read_text(encoding="utf-8")
    assert "<script>alert" not in source
    assert "{{7*7}}" in source
    assert source.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 6
