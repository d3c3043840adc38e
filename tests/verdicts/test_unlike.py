"""A page decides once: hardened models are compared in pairs alone, and verdicts on unlike trainings say so."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nasaudit.measure.proportion import proportion
from nasaudit.planning.hardening import variants
from nasaudit.results.provenance import Provenance
from nasaudit.spec.study import StudySpec
from nasaudit.testing.rows import make_results, pooled_rows
from nasaudit.verdicts.decide import decide
from nasaudit.verdicts.threats import find_untested
from nasaudit.verdicts.unlike import find_unlike

DRAWN = Provenance(data_sha256="", indices={}, division="drawn", weights={}, given=[])


def provenance(division, *given_):
    return Provenance(data_sha256="", indices={}, division=division, weights={}, given=list(given_))


def studied(names, hits, *, source=DRAWN, **study):
    """A decided study: PGD breaks so many of 500 images of each architecture, and all are as accurate."""
    spec = StudySpec.parse(
        {"architectures": names, "data": "digits", "seeds": [0], "attacks": ["pgd"], **study}
    )
    rows = []
    for name, broken in hits.items():
        rows += pooled_rows(name, "clean_accuracy", {0: proportion(480, 500)}, split="test")
        rows += pooled_rows(
            name, "asr", {0: proportion(broken, 500)}, attack="pgd", norm="linf", goal="untargeted",
            epsilon="8/255", images="common",
        )  # fmt: skip
    return decide(make_results(spec, rows, provenance=source))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 500), min_size=4, max_size=4))
def test_an_unpaired_verdict_never_speaks_of_a_remedy_beside_its_original(hits):
    names = ["darts", "darts-i", "darts-ii", "resnet"]
    results = studied(names, dict(zip(names, hits, strict=True)))
    hardened = {variant.name for variant in variants(results.study)}
    assert hardened == {"darts-i", "darts-ii"}
    for standing in results.standings:
        spoken_of = {
            *standing.ranked,
            *standing.easier_than,
            *(each.architecture for each in standing.saturated),
        }
        assert not hardened & spoken_of
    for adjustment in results.adjustments:
        assert not hardened & {value.architecture for value in adjustment.values}
    alone = studied(names[:3], dict(zip(names[:3], hits[:3], strict=True)))
    assert alone.standings == []


def test_models_of_other_recipes_are_compared_with_a_caution_and_others_without():
    names = ["darts", {"name": "resnet", "training": {"epochs": 3}}, "vgg"]
    (standing,) = studied(names, {"darts": 400, "resnet": 100, "vgg": 50}).standings
    assert standing.unlike == "the recipes differ: resnet has epochs of its own"
    (standing,) = studied(["darts", "resnet"], {"darts": 400, "resnet": 100}).standings
    assert standing.unlike == ""


def test_a_remedy_of_the_training_is_no_unlike_training():
    study = StudySpec.parse(
        {"architectures": ["darts"], "data": "digits", "mitigation": {"remedies": ["label_smoothing"]}}
    )
    names = ["darts", *(variant.name for variant in variants(study))]
    assert len(names) == 2
    assert find_unlike(study, DRAWN, names[1:])(names) == ""


def test_weights_that_were_brought_are_unlike_what_was_trained_here():
    study = StudySpec.parse({"architectures": ["darts", "resnet"], "data": "digits"})
    unlike = find_unlike(study, provenance("unknown", "darts"), ())
    assert unlike(["darts", "resnet"]) == "nobody says by which recipe darts was trained, or on which images"
    assert unlike(["darts"]) == ""
    assert find_unlike(study, provenance("given", "darts"), ())(["darts", "resnet"]).endswith(
        "darts was trained"
    )


def test_every_family_without_a_figure_is_named_with_what_it_would_take():
    study = StudySpec.parse({"architectures": ["darts"], "data": "digits", "attacks": ["pgd", "badnets"]})
    told = {each.family: each for each in find_untested(study, DRAWN, {"training", "evasion"})}
    assert list(told) == ["poisoning", "backdoor", "extraction", "membership"]
    assert told["backdoor"].how == "see the failures"
    assert told["membership"].how == "--attacks membership"
    told = {each.family: each for each in find_untested(study, provenance("unknown", "darts"), {"evasion"})}
    assert "--train-index" in told["membership"].how
    told = {each.family: each for each in find_untested(study, provenance("given", "darts"), {"evasion"})}
    assert "recipe" in told["poisoning"].how
    assert told["membership"].how == "--attacks membership"
