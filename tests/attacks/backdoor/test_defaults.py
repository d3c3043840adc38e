"""What `--attacks backdoor` stands for."""

import pytest
from torch import nn

from nasaudit.errors import SpecError
from nasaudit.results.replicates import distinguishing
from nasaudit.spec.attacks import BadNetsSpec, TrojanNNSpec
from nasaudit.spec.attacks.backdoor import sweep
from nasaudit.spec.attacks.choice import attacks_for
from nasaudit.spec.recipes import backdoor_training, recipe
from nasaudit.training.loop import _descent


def test_sound_has_one_of_every_kind_and_badnets_at_three_sizes():
    attacks = attacks_for(["backdoor"], "sound", "mini")
    names = [attack.name for attack in attacks]
    assert sorted(set(names)) == ["badnets", "blended", "imc", "latent", "sig", "trojannn", "wanet"]
    assert [attack.size for attack in attacks if attack.name == "badnets"] == [3, 2, 4]
    assert not any(attack.paper_rule for attack in attacks)
    assert [distinguishing(attacks)[attack.digest()] for attack in attacks[:4]] == [
        {"size": "3"}, {"size": "2"}, {"size": "4"}, {},
    ]  # fmt: skip


def test_published_setting_the_fine_tuning():
    """ain-soph/autovul, bash/backdoor.sh:12: --epoch 20 --batch_size 96 --lr 0.01 and none of --lr_scheduler,
    --grad_clip, --cutout, which are off unless passed (base/trainer.py:36 and :39, vision/datasets/imageset.py:35).
    """
    for scale in ("mini", "paper"):
        for attack in attacks_for(["backdoor"], "paper", scale):
            found = backdoor_training(attack, recipe("paper", "paper", "cifar10", 3))
            assert (found.epochs, found.batch_size, found.optimizer, found.momentum) == (20, 96, "sgd", 0.9)
            assert (found.weight_decay, found.gradient_clip, found.cutout, found.keep) == (
                5e-4,
                None,
                0,
                "last",
            )
            assert (found.crop, found.flip) == (4, True)
            optimizer, schedule = _descent(nn.Linear(2, 2), found, total_steps=60)
            rates = []
            for _ in range(60):
                rates.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                schedule.step()
            assert rates == [0.01] * 60


def test_what_a_fine_tuning_does_not_say_is_the_victims():
    victim = recipe("paper", "sound", "cifar10", 3)
    found = backdoor_training(TrojanNNSpec(), victim)
    assert (found.schedule, found.gradient_clip, found.cutout) == ("cosine", 5.0, 16)
    changed = TrojanNNSpec(schedule="one_cycle", gradient_clip=1.0, cutout=2)
    found = backdoor_training(changed, victim)
    assert (found.schedule, found.gradient_clip, found.cutout) == ("one_cycle", 1.0, 2)


def test_paper_is_the_published_setting():
    badnets, trojannn = attacks_for(["backdoor"], "paper", "paper")
    for attack in (badnets, trojannn):
        assert (attack.epochs, attack.learning_rate, attack.batch_size) == (20, 0.01, 96)
        assert (attack.size, attack.position, attack.target_class) == (3, "top_left", 0)
        assert attack.paper_rule
        assert not attack.from_scratch
    assert isinstance(badnets, BadNetsSpec)
    assert (badnets.copies, badnets.poison_fraction, badnets.opacity, badnets.fill) == (
        "append",
        0.02,
        1.0,
        "white",
    )
    assert isinstance(trojannn, TrojanNNSpec)
    assert (trojannn.neurons, trojannn.target_value, trojannn.threshold) == (2, 10.0, 5.0)
    assert (trojannn.steps, trojannn.step_size, trojannn.opacity) == (20, 0.015, 0.3)
    assert trojannn.poison_fraction == 0.01
    assert (trojannn.neuron_choice, trojannn.start, trojannn.fill) == ("least_active", "fill", "white")


def test_fine_tunings_at_paper_scale_are_not_a_share_of_600_epochs():
    attacks = attacks_for(["backdoor"], "sound", "paper")
    assert all(attack.epochs == 20 for attack in attacks if not attack.from_scratch)
    assert [attack.name for attack in attacks if attack.from_scratch] == ["sig"]


def test_a_sweep_is_checked_like_anything_a_user_writes():
    assert [attack.opacity for attack in sweep(TrojanNNSpec(), "opacity", (0.1, 0.5))] == [0.1, 0.5]
    with pytest.raises(SpecError, match="opacity"):
        sweep(TrojanNNSpec(), "opacity", (2.0,))
    with pytest.raises(SpecError, match="no field of this name"):
        sweep(TrojanNNSpec(), "opaqueness", (0.5,))
