"""Flags of any study, on rows that have the defect and on rows that have not."""

import pytest

from nasaudit.results.flags.base import Facts
from nasaudit.results.flags.general import underfit
from nasaudit.testing.rows import make_row


@pytest.mark.parametrize("attacked", [False, True])
def test_a_victim_that_gets_its_own_images_wrong_is_underfit(attacked: bool) -> None:
    rows = [make_row("darts", "train_accuracy", 0.69, split="train"), make_row("vgg", "train_accuracy", 0.9)]
    if attacked:
        rows += [make_row(name, "auc", 0.55, attack="loss_threshold") for name in ("darts", "vgg")]
    (remark,) = underfit(Facts(None, {}, rows, (), 100))  # type: ignore[arg-type]
    assert remark.architectures == ("darts",)
    assert "train accuracy .69" in remark.message
    assert ("membership says little" in remark.message) == attacked
