"""A study with something of everything that a page can show, made up: which is altered in hostile ways."""

import json
from functools import partial
from pathlib import Path

import numpy as np
from tests.report.conftest import made_study
from tests.report.hardened import full_study, with_remedies
from tests.report.test_analyses import analysed
from tests.report.test_backdoor import write_pictures
from tests.report.test_extraction import rows_of as extraction_rows
from tests.report.test_landscape import AXIS, REACHES, bowl
from tests.report.test_membership import curves_of
from tests.report.test_membership import rows_of as membership_rows

from nasaudit.measure.estimate import Estimate
from nasaudit.measure.proportion import proportion
from nasaudit.results.base import Span
from nasaudit.results.schema import Curve, Failure, Flag, Landscape, Pictures, Row, StudyResults
from nasaudit.results.verdict_models import Claim, Variable
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.attacks import (
    BadNetsSpec,
    GradientMatchingSpec,
    KnockoffSpec,
    LabelFlipSpec,
    LossThresholdSpec,
)
from nasaudit.testing.rows import make_row
from nasaudit.verdicts.decide import decide
from nasaudit.verdicts.links import judge_links

NAMES = ("darts", "darts-i", "enas", "resnet", "vgg")
FURTHER = (LabelFlipSpec(), GradientMatchingSpec(), BadNetsSpec(), KnockoffSpec(), LossThresholdSpec())


def rich_study(folder: Path) -> StudyResults:
    """The study; its pictures are written to `folder`."""
    failure = Failure(label="train enas (seed 1)", digest="0", type="ValueError", message="NaN", traceback="")
    results = made_study(
        folder,
        architectures=NAMES,
        failures=[failure],
        flags=[Flag(kind="few_seeds", architectures=("darts",), message="There are few seeds.")],
    )
    study = results.study.model_copy(update={"attacks": (*results.study.attacks, *FURTHER)})
    specs = results.architectures
    rows = [row for spec in specs for row in (*analysed(spec), *_attacked(spec))]
    rows += [row for place, spec in enumerate(specs) for row in membership_rows(spec.name, shift=place / 50)]
    rows += [row for place, spec in enumerate(specs) for row in extraction_rows(spec.name, 0.95 - place / 20)]
    results = results.model_copy(
        update={
            "study": study,
            "rows": [*results.rows, *rows],
            "curves": [curve for spec in specs for curve in (*curves_of(spec.name), _line(spec))],
            "landscapes": [plane for place, spec in enumerate(specs) for plane in _planes(spec, place)],
            "pictures": [_pictures(folder, family) for family in ("poisoning", "backdoor")],
        }
    )
    results = _claimed(decide(results))
    hardened = full_study(results)
    known = [one for one in hardened.remedies if one.variant in NAMES]
    return with_remedies(hardened, *known)


def write_study(results: StudyResults, folder: Path) -> dict:
    """Write results.json, and give its content."""
    text = results.model_dump_json()
    (folder / "results.json").write_text(text, encoding="utf-8")
    return json.loads(text)


def _attacked(spec: ArchSpec) -> list[Row]:
    row = partial(make_row, spec.name, group=spec.group)
    lost = Estimate(0.1, 0.08, 0.12, 1000, "fraction")
    made = []
    for fraction in ("0", "0.1", "0.2", "0.4"):
        at = {"attack": "label_flip", "fraction": fraction}
        made += [row("clean_accuracy", proportion(900, 1000), **at), row("cad", lost, **at)]
    made.append(row("cad_area", lost, attack="label_flip"))
    at = {"attack": "gradient_matching", "fraction": "0.03"}
    made += [row("asr", proportion(2, 9), **at), row("floor", proportion(0, 9), **at), row("cad", lost, **at)]
    of_others = {"attack": "badnets", "images": "other classes"}
    return [
        *made,
        row("asr", proportion(850, 900), **of_others),
        row("floor", proportion(9, 900), **of_others),
        row("clean_accuracy", proportion(950, 1000), attack="badnets"),
        row("cad", lost, attack="badnets"),
    ]


def _line(spec: ArchSpec) -> Curve:
    return Curve(
        architecture=spec.name, seed=0, family="landscape", attack="", setting={}, name="slice",
        x=[-0.5, 0, 0.5, 1, 1.5], y=[1.5, 0.1, 2.0, 0.2, 1.4],
    )  # fmt: skip


def _planes(spec: ArchSpec, place: int) -> list[Landscape]:
    return [
        Landscape(
            architecture=spec.name, seed=0, name=name, setting={}, x=[reach * a for a in AXIS],
            y=[reach * a for a in AXIS], z=bowl(2 * (place + 1)),
        )
        for name, reach in REACHES.items()
    ]  # fmt: skip


def _pictures(folder: Path, family: str) -> Pictures:
    file = f"examples/{family}.npz"
    (folder / "examples").mkdir(parents=True, exist_ok=True)
    if family == "backdoor":
        write_pictures(folder / file, patch=True)
    else:
        clean = np.full((2, 3, 8, 8), 90, np.uint8)
        np.savez(
            folder / file, clean=clean, poisoned=clean + 16, aimed=clean, index=[7, 8], label=[3, 3],
            aimed_label=[5, 5], reached=[True, False],
        )  # fmt: skip
    attack = {"poisoning": "gradient_matching", "backdoor": "badnets"}[family]
    return Pictures(architecture="darts", seed=0, family=family, attack=attack, setting={}, file=file)


def _claimed(results: StudyResults) -> StudyResults:
    """With variables and claims that are decided, if they are not there already."""
    variables = [
        Variable(
            key=key, title=key, part=part, favoured="higher", unit="fraction", metric=key,
            values={spec.name: 0.2 + place / 10 for place, spec in enumerate(results.architectures)},
        )
        for key, part in (("depth", "topology"), ("loss_area", "convergence"), ("evasion", "vulnerability"))
    ]  # fmt: skip
    claims = [
        Claim(
            kind="correlation", cause="depth", effect=effect, sample="random cells", predicted="higher",
            estimate=Span(value=0.4, low=0.3, high=0.6), n=60, p=0.01, p_holm=0.04, tested=6, detectable=0.44,
            finding="supported",
        )
        for effect in ("loss_area", "evasion")
    ]  # fmt: skip
    if results.claims:
        return results
    links = judge_links(claims, variables)
    return results.model_copy(update={"variables": variables, "claims": claims, "links": links})
