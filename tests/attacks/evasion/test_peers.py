"""Our attacks against other libraries', on a trained mini DARTS with equal settings (extra `peers`)."""

import pytest
import torch

for module in ("torchattacks", "foolbox", "art"):
    pytest.importorskip(module, reason="needs the extra `peers` (`make peers`)")

import foolbox  # noqa: E402
import torchattacks  # noqa: E402
from benchmarks.peers import BATCH, PEERS, Setting  # noqa: E402
from benchmarks.pgd import ours, success_rate  # noqa: E402
from benchmarks.victims import correct_images, trained_victim  # noqa: E402

from nasaudit.attacks.evasion.black_box.transfer import Transfer  # noqa: E402
from nasaudit.attacks.evasion.minimal.ddn import Ddn  # noqa: E402
from nasaudit.attacks.evasion.objective import Objective  # noqa: E402
from nasaudit.spec.attacks import DdnSpec, TransferSpec  # noqa: E402
from nasaudit.victim.classifier import Classifier  # noqa: E402
from nasaudit.victim.oracle import Oracle  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(1500)]

IMAGES = 400


@pytest.fixture(scope="module")
def scene(request):
    """A victim, kept by pytest's cache between runs, and images that it gets right."""
    network, bundle = trained_victim(request.config.cache.mkdir("victims"))
    return network, *correct_images(network, bundle, IMAGES)


@pytest.fixture(scope="module")
def our_rate(scene):
    network, images, labels = scene
    return {
        setting: success_rate(network, ours(network, images, labels, setting), labels) for setting in SETTINGS
    }


SETTINGS = [
    Setting(epsilon=level / 255, step_size=2 / 255, steps=20, random_start=random_start)
    for level in (8, 16)
    for random_start in (False, True)
]
# From the image itself all libraries walk the same path. A random start is another one in each of them: on 400 images
# that moves a rate by a few images (measured: up to 1.25 points).
TOLERANCE = {False: 0.005, True: 0.02}


@pytest.mark.parametrize(
    "setting", SETTINGS, ids=lambda s: f"{s.epsilon * 255:.0f}-random_start={s.random_start}"
)
@pytest.mark.parametrize("peer", PEERS)
def test_our_asr_is_that_of_the_peer(scene, our_rate, peer, setting):
    network, images, labels = scene
    theirs = success_rate(network, PEERS[peer](network, images, labels, setting), labels)
    assert theirs > 0.05
    gap = abs(our_rate[setting] - theirs)
    assert gap <= TOLERANCE[setting.random_start], f"ours {our_rate[setting]:.2%}, {peer} {theirs:.2%}"


# Where the same images must fall, or the same examples be found; tests/parity has all attacks at equal budgets.
FEWER = 100


@pytest.fixture(scope="module")
def few(scene):
    network, images, labels = scene
    return network, Classifier(network, 10), images[:FEWER], labels[:FEWER]


def theirs(few, attack):
    _, _, images, labels = few
    pairs = zip(torch.split(images, BATCH), torch.split(labels, BATCH), strict=True)
    return torch.cat([attack(x, y) for x, y in pairs])


@pytest.mark.parametrize("level", [8, 12])
def test_mi_fgsm_breaks_what_torchattacks_breaks(few, level):
    # On the victim's own weights, where success does not depend on transfer.
    network, victim, images, labels = few
    attack, oracle = Transfer(TransferSpec(steps=10), victim), Oracle(victim, output="label")
    own = attack.perturb(oracle, images, Objective(labels), level / 255)
    other = theirs(few, torchattacks.MIFGSM(network, level / 255, level / 255 / 10, steps=10, decay=1.0))
    assert success_rate(network, own.images, labels) == pytest.approx(
        success_rate(network, other, labels), abs=0.01
    )


def test_ddn_is_as_near_as_foolbox(few):
    network, victim, images, labels = few
    own = Ddn(DdnSpec(steps=100)).minimise(victim, images, Objective(labels)).distance
    model = foolbox.PyTorchModel(network, bounds=(0, 1))
    attack = foolbox.attacks.DDNAttack(init_epsilon=1.0, steps=100, gamma=0.05)
    _, examples, found = attack(model, images, labels, epsilons=None)
    other = (examples - images).flatten(1).norm(dim=1)
    assert found.all()
    assert own.isfinite().all()
    # Ours ends with a bisection: nearer, by no more than a step of gamma.
    ratio = (own / other).median()
    assert 0.95 < ratio <= 1.0
