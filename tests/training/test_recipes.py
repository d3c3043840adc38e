from nasaudit.spec.recipes import recipe
from nasaudit.spec.study import StudySpec


def test_the_paper_recipe_is_the_published_one_and_sound_never_looks_at_test_data():
    """ain-soph/autovul, bash/train.sh:11, base/configs/trainer.yml and vision/datasets/imageset.py:153."""
    paper, sound = (recipe("paper", protocol, "cifar10", 3) for protocol in ("paper", "sound"))
    assert (paper.epochs, paper.batch_size, paper.learning_rate, paper.weight_decay) == (200, 96, 0.025, 5e-4)
    assert (paper.optimizer, paper.momentum) == ("sgd", 0.9)
    assert (paper.schedule, paper.gradient_clip, paper.crop, paper.flip, paper.cutout) == (
        "cosine",
        5,
        4,
        True,
        16,
    )
    assert (paper.keep, paper.cutout_fill) == ("best_test", "black")  # vision/utils/data.py:13 paints zeros
    assert (sound.keep, sound.cutout_fill, sound.weight_decay) == ("best_validation", "mean", 3e-4)
    assert sound.drop_path_schedule == "linear"
    assert recipe("mini", "paper", "mnist5k", 1).keep == "last"


def test_digits_are_never_mirrored():
    for scale in ("mini", "small", "paper"):
        assert not recipe(scale, "sound", "mnist5k", 1).flip
        assert recipe(scale, "sound", "cifar100", 3).flip


def test_photographs_are_known_by_their_channels_also_in_files_of_the_users_own():
    photographs, digits = recipe("mini", "sound", "npz", 3), recipe("mini", "sound", "npz", 1)
    assert photographs == recipe("mini", "paper", "cifar10", 3)
    assert photographs.epochs > digits.epochs
    assert (photographs.schedule, digits.schedule) == ("one_cycle", "cosine")
    assert recipe("small", "sound", "npz", 3).epochs > photographs.epochs


def test_the_paper_protocol_trains_on_all_training_images():
    study = StudySpec.parse({"architectures": ["darts"], "data": "cifar10", "protocol": "paper"})
    assert (study.data.validation_fraction, study.data.pool_fraction) == (0, 0)
    kept = StudySpec.parse(
        {"architectures": ["darts"], "data": {"name": "cifar10", "pool_fraction": 0.1}, "protocol": "paper"}
    )
    assert (kept.data.validation_fraction, kept.data.pool_fraction) == (0, 0.1)
    assert StudySpec.parse({"architectures": ["darts"], "data": "cifar10"}).data.pool_fraction > 0
    assert StudySpec.parse(study.model_dump(mode="json")) == study
