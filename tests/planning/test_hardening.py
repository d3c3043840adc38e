"""Which architectures of a study are hardened ones, of what, and how they are trained."""

from pathlib import Path

import pytest
import torch

from nasaudit.analysis.topology.shape import topology
from nasaudit.arch.catalogue import CATALOGUE
from nasaudit.arch.network import build
from nasaudit.errors import InputError, SpecError, UnknownNameError
from nasaudit.planning.hardening import genotype_of, hardened, variants
from nasaudit.planning.plan import Plan, plan
from nasaudit.spec.study import StudySpec
from nasaudit.spec.tasks import TrainTask

NO_DOWNLOADS = Path("nowhere")
CELL = {"nodes": [[["sep_conv_3x3", 0]], [["skip_connect", 1]], [["sep_conv_5x5", 0]]], "concat": [2, 3, 4]}
ONE_EDGE_A_NODE = {"normal": CELL, "reduction": CELL}


def study(*architectures: object, mitigation: object = None, **changes: object) -> StudySpec:
    values = {"architectures": list(architectures), "data": "digits", "seeds": [0], "analyses": ["topology"]}
    return StudySpec.parse({**values, "mitigation": mitigation, **changes})


def planned(*architectures: object, mitigation: object = None, **changes: object) -> Plan:
    return plan(study(*architectures, mitigation=mitigation, **changes), NO_DOWNLOADS)


def told(asked: StudySpec) -> list[tuple[str, str, str, int | None, int | None]]:
    return [(one.choice.name, one.original, one.remedy, one.dose, one.most) for one in variants(asked)]


def test_the_three_rewirings_are_the_default() -> None:
    assert told(study("darts", mitigation={})) == [
        ("darts-i", "darts", "deepen", 3, 3),  # as published
        ("darts+drop_skips", "darts", "drop_skips", 2, 2),
        ("darts+both", "darts", "both", 3, 3),
    ]


def test_with_the_published_replacements_they_are_the_published_variants() -> None:
    asked = study("darts", mitigation={"replacements": ["sep_conv_3x3", "dil_conv_3x3"]})
    assert [choice.name for choice in hardened(asked)] == ["darts-i", "darts-ii", "darts-iii"]


def test_a_curve_has_every_dose_that_changes_something() -> None:
    asked = study("darts", mitigation={"doses": "curve", "remedies": ["deepen", "drop-skips"]})
    assert told(asked) == [
        ("darts+deepen-1", "darts", "deepen", 1, 3),
        ("darts+deepen-2", "darts", "deepen", 2, 3),
        ("darts-i", "darts", "deepen", 3, 3),
        ("darts+drop_skips-1", "darts", "drop_skips", 1, 2),
        ("darts+drop_skips", "darts", "drop_skips", 2, 2),
    ]
    depths = [topology(genotype_of(choice))["normal"].depth for choice in hardened(asked)[:3]]
    assert depths == sorted(depths)
    assert len(set(depths)) == 3


def test_chosen_doses_and_scopes() -> None:
    asked = study("darts", mitigation={"doses": [2, 9], "scope": "all", "remedies": ["deepen"]})
    assert told(asked) == [("darts+deepen@all-2", "darts", "deepen", 2, 3)]


def test_a_cell_with_one_edge_a_node_is_hardened_under_its_own_name() -> None:
    asked = study({"name": "mine", "genotype": ONE_EDGE_A_NODE}, mitigation={"scope": "all"})
    assert [one.choice.name for one in variants(asked)] == [
        "mine+deepen@all",
        "mine+drop_skips@all",
        "mine+both@all",
    ]
    for variant in variants(asked):
        shape = topology(genotype_of(variant.choice))
        if variant.remedy != "deepen":
            assert shape["normal"].skips == shape["reduction"].skips == 0
        if variant.remedy != "drop_skips":
            assert shape["normal"].depth == 3


def test_a_study_that_names_hardened_cells_is_one_of_remedies() -> None:
    asked = study("resnet", "darts-iii", "DARTS", "darts-i")
    assert told(asked) == [
        ("darts-iii", "darts", "both", 3, 3),
        ("darts-i", "darts", "deepen", 3, 3),
    ]
    assert hardened(asked) == []
    assert told(study("darts", "resnet", "pdarts")) == []


def test_another_spelling_is_known_by_the_name_that_rows_have() -> None:
    assert [(one.name, one.original) for one in variants(study("darts", "DARTS-I"))] == [("darts-i", "darts")]


def test_what_is_named_already_is_not_made_twice() -> None:
    asked = study("darts", "darts-i", mitigation={"remedies": ["deepen", "label_smoothing"]})
    assert [choice.name for choice in hardened(asked)] == ["darts+label_smoothing"]
    assert [one.name for one in plan(asked, NO_DOWNLOADS).architectures] == [
        "darts",
        "darts-i",
        "darts+label_smoothing",
    ]


def test_a_remedy_of_the_training_changes_the_recipe_alone() -> None:
    found = planned("resnet", mitigation={"remedies": ["label_smoothing"]}, attacks=["label_flip"])
    plain, smoothed = found.victims
    assert smoothed.architecture.name == "resnet+label_smoothing"
    assert smoothed.architecture.group == "hardened"
    assert smoothed.training == plain.training.model_copy(update={"label_smoothing": 0.1})
    poisoned = [
        task
        for task in found.tasks
        if isinstance(task, TrainTask)
        and task.poison is not None
        and task.architecture == smoothed.architecture
    ]
    assert {task.training.label_smoothing for task in poisoned} == {0.1}
    networks = [build(task.architecture, seed=3).state_dict() for task in (plain, smoothed)]
    assert all(torch.equal(networks[0][key], networks[1][key]) for key in networks[0])


def test_the_originals_tasks_are_those_of_a_plain_study() -> None:
    """So that a user who has audited an architecture does not train it again to harden it."""
    alone = {task.digest() for task in planned("darts", attacks=["pgd"]).tasks}
    assert alone <= {task.digest() for task in planned("darts", attacks=["pgd"], mitigation={}).tasks}


def test_a_users_own_remedy_of_the_training_and_own_hardened_cell() -> None:
    asked = study(
        {"name": "mine", "genotype": ONE_EDGE_A_NODE},
        {"name": "mine+by-hand", "genotype": CATALOGUE["pdarts"].genotype, "hardens": "mine"},
        mitigation={"remedies": ["cutout"], "training": {"cutout": {"cutout": 4}}},
    )
    assert told(asked) == [
        ("mine+by-hand", "mine", "by-hand", None, None),
        ("mine+cutout", "mine", "cutout", None, None),
    ]
    assert [victim.training.cutout for victim in plan(asked, NO_DOWNLOADS).victims] == [0, 0, 4]


def test_every_network_can_be_trained_otherwise() -> None:
    asked = study("torchvision:squeezenet1_1", mitigation={"remedies": ["label_smoothing"]})
    (variant,) = variants(asked)
    assert variant.choice.model == asked.architectures[0].model
    assert (variant.kind, variant.original) == ("training", asked.architectures[0].name)


@pytest.mark.parametrize(
    ("architecture", "changes", "error", "words"),
    [
        (
            "resnet",
            {"mitigation": {}},
            SpecError,
            r"mitigation\.remedies: expected a remedy that changes resnet",
        ),
        ("darts", {"mitigation": {"remedies": ["deeper"]}}, UnknownNameError, "deepen"),
        ("darts", {"mitigation": {"remedies": []}}, SpecError, r"mitigation\.remedies"),
        ("darts", {"mitigation": {"replacements": ["skip_connect"]}}, SpecError, r"mitigation\.replacements"),
        ("darts", {"mitigation": {"doses": [0]}}, SpecError, r"mitigation\.doses"),
        ("darts", {"mitigation": {"max_drop": 2}}, SpecError, r"mitigation\.max_drop"),
        ("darts", {"mitigation": {"remedies": ["rounded_answers"]}}, SpecError, r"attacks: .*extraction"),
        (
            "darts",
            {"mitigation": {"remedies": ["x"], "training": {"x": {"epoch": 2}}}},
            SpecError,
            r"mitigation \(darts\+x\)\.epoch",
        ),
        ({"name": "a", "hardens": "darts"}, {}, SpecError, r"architectures\[0\]\.hardens"),
        ({"name": "a", "hardens": "nobody"}, {}, InputError, "nobody"),
        ({"name": "darts", "weights": "w.safetensors"}, {"mitigation": {}}, SpecError, r"\[0\]\.weights"),
    ],
)
def test_what_cannot_be_hardened_is_refused_with_the_field(
    architecture: object, changes: dict[str, object], error: type[InputError], words: str
) -> None:
    with pytest.raises(error, match=words):
        plan(study(architecture, **changes), NO_DOWNLOADS)
