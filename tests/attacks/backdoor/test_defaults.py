"""What `--attacks backdoor` stands for."""

import pytest

from nasaudit.errors import SpecError
from nasaudit.results.replicates import distinguishing
from nasaudit.spec.attacks import BadNetsSpec, TrojanNNSpec
from nasaudit.spec.attacks.backdoor import sweep
from nasaudit.spec.attacks.choice import attacks_for


def test_sound_has_one_of_every_kind_and_badnets_at_three_sizes():
    attacks = attacks_for(["backdoor"], "sound", "mini")
    names = [attack.name for attack in attacks]
    assert sorted(set(names)) == ["badnets", "blended", "imc", "latent", "sig", "trojannn", "wanet"]
    assert [attack.size for attack in attacks if attack.name == "badnets"] == [3, 2, 4]
    assert not any(attack.paper_rule for attack in attacks)
    assert [distinguishing(attacks)[attack.digest()] for attack in attacks[:4]] == [
        {"size": "3"}, {"size": "2"}, {"size": "4"}, {},
    ]  # fmt: skip


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
