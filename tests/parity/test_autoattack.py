"""AutoAttack beside torchattacks' parts with its authors' settings (extra `peers`); `make bench` prints it."""

import pytest

pytest.importorskip("torchattacks", reason="needs the extra `peers` (`make peers`)")

from benchmarks.autoattack import IMAGES, SCENES, play

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: f"{scene.victim}-{scene.norm}")
def test_robust_accuracy_is_within_half_a_point_of_torchattacks(request, scene):
    robust = play(request.config.cache.mkdir("victims"), scene)
    assert 0.2 < robust.peer < 0.6, "a setting at which any two attacks agree proves nothing"
    assert abs(robust.ours - robust.peer) <= 0.005 + 1e-6  # one image
    assert robust.ours <= robust.shipped + 1e-6
    assert robust.ours <= robust.pgd + 1e-6
    assert IMAGES == 200
