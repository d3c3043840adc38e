"""What a reader sees first: five lines, the most serious on top, and caveats only below."""

from pathlib import Path

from nasaudit.measure.proportion import proportion
from nasaudit.report.evidence import Evidence
from nasaudit.report.page import render
from nasaudit.report.sections import threats
from nasaudit.results.schema import Flag
from nasaudit.spec.study import StudySpec
from nasaudit.testing.rows import make_results, make_row, pooled_rows
from nasaudit.verdicts.decide import decide


def evidence(hits, **study):
    spec = StudySpec.parse(
        {"architectures": list(hits), "data": "digits", "seeds": [0], "attacks": ["badnets"], **study}
    )
    rows = []
    for name, broken in hits.items():
        rows += pooled_rows(name, "clean_accuracy", {0: proportion(480, 500)}, split="test")
        rows += pooled_rows(
            name, "asr", {0: proportion(broken, 500)}, attack="badnets", images="other classes"
        )
    flags = [Flag(kind="few_seeds", architectures=(), message="1 training seed for each architecture")]
    return Evidence(decide(make_results(spec, rows, flags=flags)), Path())


def test_the_first_screen_has_all_five_threats_and_says_how_the_untested_could_be():
    lines = threats.lines(evidence({"darts": 490, "resnet": 300}))
    assert [line.name for line in lines] == ["Backdoor", "Evade", "Poison", "Steal", "Infer members"]
    assert [line.level for line in lines] == ["severe", *["not tested"] * 4]
    assert [cell.text.replace("\N{NO-BREAK SPACE}", " ") for _, cell in lines[0].cells] == [
        "98.0 %",
        "60.0 %",
    ]
    assert lines[1].advice == "It was not asked for: --attacks evasion."


def test_caveats_stand_below_the_threats_and_figures_are_told_once_there():
    page = render(evidence({"darts": 490, "resnet": 300}))
    first, _, below = page.partition("Before you rely on it")
    assert "98.0" in first.replace("\N{NO-BREAK SPACE}", " ")
    assert 'class="first"' in first
    assert "training seed" in below
    assert 'class="tiles"' not in page


def test_of_many_architectures_the_least_and_the_most_serious_are_named():
    names = ["darts", "enas", "pdarts", "resnet", "vgg", "dla"]
    found = evidence({name: 100 + 50 * place for place, name in enumerate(names)})
    assert [head.text for head in threats.heads(found)] == ["least", "most"]
    (least, most) = threats.lines(found)[0].cells
    assert least[1].note.startswith("DARTS")
    assert most[1].note.startswith("DLA")
    assert threats.figure(found) is None


def test_the_picture_draws_an_auc_by_its_distance_from_guessing():
    spec = StudySpec.parse(
        {"architectures": ["darts"], "data": "digits", "seeds": [0], "attacks": ["loss_threshold"]}
    )
    rows = [make_row("darts", "auc", 0.6, half=0.05, n=400, attack="loss_threshold")]
    figure = threats.figure(Evidence(decide(make_results(spec, rows)), Path()))
    (record,) = figure.records
    assert (round(record["value"], 3), round(record["low"], 3), round(record["high"], 3)) == (0.2, 0.1, 0.3)


def test_a_low_threat_that_surely_does_something_keeps_its_advice():
    spec = StudySpec.parse(
        {"architectures": ["darts"], "data": "digits", "seeds": [0], "attacks": ["loss_threshold"]}
    )

    def advice(value):
        rows = [make_row("darts", "auc", value, half=0.02, n=4000, attack="loss_threshold")]
        (line,) = [
            each for each in threats.lines(Evidence(decide(make_results(spec, rows)), Path())) if each.cells
        ]
        assert line.level == "low"
        return line.advice

    assert advice(0.54).startswith("Little, but surely something. Train it with less overfitting")
    assert advice(0.51).startswith("No step follows from this attack")
