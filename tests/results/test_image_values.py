"""What is looked up by image is what the rows are means of: on a small study that is really run."""

import numpy as np
import pytest

from nasaudit.api import run_study
from nasaudit.planning.plan import plan
from nasaudit.results.assemble import common_images
from nasaudit.results.image_values import ImageValues
from nasaudit.running.options import DOWNLOADS, RunOptions
from nasaudit.spec.study import StudySpec
from nasaudit.store.store import Store

STUDY = StudySpec.parse(
    {
        "architectures": ["resnet"],
        "mitigation": {"remedies": ["label_smoothing"]},
        "data": {"name": "digits", "train_images": 400},
        "seeds": [0, 1],
        "attacks": [
            {"name": "pgd", "epsilons": ["8/255", "32/255"], "steps": 3, "images": 60},
            {"name": "label_flip", "fractions": [0, 0.4]},
        ],
        "analyses": ["topology"],
        "training": {"epochs": 3, "batch_size": 32},
    }
)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remedied")
    results = run_study(STUDY, folder, RunOptions(executor="serial")).results
    store, planned = Store(folder / "store"), plan(STUDY, DOWNLOADS)
    opened = {
        task.digest(): (store.find(task), store.path(task.digest()))
        for task in planned.tasks
        if store.find(task) is not None
    }
    return results, ImageValues(planned, opened, common_images(planned, opened))


@pytest.mark.parametrize(
    "wanted",
    [
        {"metric": "curve_area", "images": "common"},
        {"metric": "cad", "fraction": "0.4"},
    ],
    ids=lambda wanted: wanted["metric"],
)
def test_a_row_of_a_seed_is_the_mean_over_its_images(ran, wanted):
    results, values = ran
    rows = [row for row in results.select(**wanted) if row.seed != "all"]
    assert len(rows) == 4
    for row in rows:
        by_image = values.of(row)
        assert by_image.keys() == {0, 1}
        assert np.mean(list(by_image[row.seed].values())) == pytest.approx(row.value)
        assert len(by_image[row.seed]) == row.n


def test_accuracy_by_image(ran):
    results, values = ran
    rows = [row for row in results.select(metric="clean_accuracy", family="training") if row.seed != "all"]
    assert len(rows) == 4
    for row in rows:
        assert np.mean(list(values.accuracy(row.architecture)[row.seed].values())) == pytest.approx(row.value)


def test_what_records_do_not_say_by_image_is_not_made_up(ran):
    results, values = ran
    (row, *_) = results.select(metric="curve_area", images="correct")
    assert values.of(row) == {}
    (row, *_) = results.select(metric="asr", images="common")
    assert values.of(row) == {}


def test_the_remedy_is_compared_by_image_and_seed(ran):
    results, _ = ran
    (found,) = results.remedies
    assert (found.original, found.variant) == ("resnet", "resnet+label_smoothing")
    assert found.parameters is not None
    assert found.parameters[0] == found.parameters[1] > 0
    assert [effect.family for effect in found.effects] == ["evasion", "poisoning"]
    for effect in (*found.effects, found.accuracy):
        assert effect.how == "images and seeds"
        assert effect.difference.value == pytest.approx(effect.after.value - effect.before.value, abs=1e-9)
        assert effect.difference.low < effect.difference.value < effect.difference.high
