"""What the sections of all five families have in common."""

from pathlib import Path

import pytest
from tests.report.parts import blocks, tables

from nasaudit.measure.estimate import Estimate
from nasaudit.report import format, write_report
from nasaudit.report.evidence import Evidence
from nasaudit.report.sections.families.all import FAMILIES

# What one row of each family's attacks says.
ROWS = {
    "evasion": ("asr", {"norm": "linf", "goal": "untargeted", "images": "correct", "epsilon": "8/255"}),
    "poisoning": ("cad", {"fraction": "0.2"}),
    "backdoor": ("asr", {"size": "3"}),
    "extraction": ("agreement", {"budget": "100", "surrogate": "same", "labels": "soft", "pool": "pool"}),
    "membership": ("auc", {}),
}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_an_attack_that_the_report_does_not_know_has_its_block(family, make_study, tmp_path: Path) -> None:
    results = make_study(attacks=False)
    metric, setting = ROWS[family.name]
    estimate = Estimate(0.25, 0.125, 0.375, 400, "auc" if metric == "auc" else "fraction")
    rows = [
        results.rows[0].model_copy(
            update={
                "architecture": spec.name, "group": spec.group, "seed": "all", "family": family.name,
                "attack": "of_a_plugin", "setting": setting, "metric": metric, "value": estimate.value,
                "low": estimate.low, "high": estimate.high, "n": estimate.n, "unit": estimate.unit,
            }
        )
        for spec in results.architectures
    ]  # fmt: skip
    with_rows = results.model_copy(update={"rows": [*results.rows, *rows]})
    section = family.section(Evidence(with_rows, tmp_path))
    (block,) = blocks(section)
    assert "of a plugin" in block.title.lower()
    shown = {cell.text.replace(format.NBSP, " ") for table in tables(block) for cell in table.rows[1]}
    assert shown & {"25.0 %", "25.0 points", "0.250"}
    assert f'id="{block.anchor}"' in write_report(with_rows, tmp_path).read_text(encoding="utf-8")
