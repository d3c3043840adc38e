"""The Skip Gradient Method: equation 6 on two residual blocks, a cell by hand, every manual family, and PGD."""

import copy

import pytest
import torch
from timm.models.resnet import BasicBlock
from torch import Tensor, nn

from nasaudit.arch.catalogue import resolve
from nasaudit.arch.cells import Cell, CellNetwork
from nasaudit.arch.network import build
from nasaudit.arch.ops import reads_rectified
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.attacks.evasion.pgd import Pgd
from nasaudit.spec.attacks import PgdSpec, TransferSpec
from nasaudit.spec.study import ArchChoice
from nasaudit.testing.untouched import untouched
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.skips import skip_gradients, skipped

GAMMA = 0.3
SHAPE = (1, 8, 8)


def mini(name: str):
    return build(resolve(ArchChoice(name=name), "mini", 10, SHAPE))


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """In float64 and eval mode, with statistics of BN and weights that nothing of cancels."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = 0.2 * torch.randn(module.num_features, generator=generator)
            module.running_var = 0.5 + torch.rand(module.num_features, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
    return network.double().eval().requires_grad_(False)


def gradient(network, pixels: Tensor, gamma: float = 1.0) -> Tensor:
    x = pixels.clone().requires_grad_()
    with skip_gradients(network, gamma):
        out = network(x)
    weights = torch.linspace(-1, 1, out[0].numel(), dtype=out.dtype)
    (found,) = torch.autograd.grad((out.flatten(1) * weights).sum(), x)
    return found


def test_the_gradient_of_two_residual_blocks_is_the_product_of_the_equation():
    # With a block z' = relu(z + f(z)): dl/dx = prod_i (1 + gamma J_i)^T D_i, D_i the derivative of the ReLU.
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = lively(nn.Sequential(BasicBlock(2, 2), BasicBlock(2, 2)))
        z = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    found, plain = gradient(network, z, GAMMA), gradient(network, z)

    def residual(block, z):
        return block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(z)))))

    total = {gamma: torch.eye(32, dtype=torch.float64) for gamma in (GAMMA, 1.0)}
    x = z
    for block in network:
        jacobian = torch.func.jacrev(lambda z, block=block: residual(block, z))(x).reshape(32, 32)
        summed = x + residual(block, x)
        alive = (summed.flatten() > 0).double().diag()
        for gamma, product in total.items():
            total[gamma] = alive @ (torch.eye(32, dtype=torch.float64) + gamma * jacobian) @ product
        x = torch.relu(summed)
    weights = torch.linspace(-1, 1, 32, dtype=torch.float64)
    torch.testing.assert_close(found.flatten(), weights @ total[GAMMA], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(plain.flatten(), weights @ total[1.0], rtol=1e-10, atol=1e-12)
    assert not torch.allclose(found, plain, rtol=1e-2)


def by_hand(network: CellNetwork, pixels: Tensor, gamma: float) -> Tensor:
    """The network's logits, with non-skip edges beside a skip written as gamma y + (1 - gamma) y without gradient."""
    before, previous = (network.stem(pixels),) * 2
    for cell in network.cells:
        assert isinstance(cell, Cell)
        states = [cell.preprocess0(before.relu()), cell.preprocess1(previous.relu())]
        for node, ops in zip(cell.genotype.nodes, cell.nodes, strict=True):
            terms = []
            for edge, op in zip(node, ops, strict=True):
                x = states[edge.source]
                terms.append(op(x.relu() if reads_rectified(op) else x))
            beside = [isinstance(op, nn.Identity) for op in ops]
            if any(beside):
                terms = [
                    y if skip else gamma * y + (1 - gamma) * y.detach()
                    for y, skip in zip(terms, beside, strict=True)
                ]
            states.append(sum(terms))
        before, previous = previous, torch.cat([states[k] for k in cell.genotype.concat], dim=1)
    return network.classifier(previous.mean(dim=(2, 3)))


@pytest.mark.parametrize("name", ["darts", "nasnet"])
def test_in_a_cell_gradients_prefer_the_skip_edges(name):
    network = lively(mini(name).body)
    pixels = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for gamma in (GAMMA, 1.0):
        x = pixels.clone().requires_grad_()
        logits = by_hand(network, x, gamma)
        weights = torch.linspace(-1, 1, 10, dtype=torch.float64)
        (expected,) = torch.autograd.grad((logits * weights).sum(), x)
        torch.testing.assert_close(gradient(network, pixels, gamma), expected, rtol=1e-9, atol=1e-12)
    assert not torch.allclose(gradient(network, pixels, GAMMA), gradient(network, pixels), rtol=1e-2)


# Blocks with an identity for a shortcut, by hand from the plans: ResNet 2 + 1 + 1 + 1; the one tree of DLA with one
# width and no stride has 2, the deep ones 1 + 2 each, the last one 1; all layers of DenseNet.
IDENTITIES = {"resnet": 5, "dla": 9, "densenet": 14, "bit": 1, "vgg": 0, "resnext": 0, "wideresnet": 0}


@pytest.mark.parametrize("name", IDENTITIES)
def test_manual_families_have_their_identities_and_folding_does_not_matter(name):
    network = lively(mini(name)).float()
    assert len(skipped(network)) == IDENTITIES[name]
    pixels = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(2))
    found = [
        gradient(Classifier(network, 10, folding=folding).network, pixels, GAMMA) for folding in (True, False)
    ]
    scale = float(found[1].abs().max())
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-4 * scale)
    plain = gradient(network, pixels)
    assert bool((plain - found[1]).abs().max() > 1e-3 * scale) == (IDENTITIES[name] > 0)


def test_a_mix_of_values_with_and_without_gradient_comes_to_the_same():
    class Mixed(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            y = self.inner(x)
            return GAMMA * y + (1 - GAMMA) * y.detach()

    pixels = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for name in ("dla", "densenet", "bit"):
        network = lively(mini(name))
        twin = copy.deepcopy(network)
        decayed = {id(module) for module in skipped(twin)}
        for path, module in list(twin.named_modules()):
            if id(module) in decayed:
                twin.set_submodule(path, Mixed(module))
        torch.testing.assert_close(
            gradient(network, pixels, GAMMA), gradient(twin, pixels), rtol=1e-9, atol=1e-12
        )


def test_hooks_go_even_when_the_attack_fails_and_the_victim_stays_as_it_was():
    network = mini("darts").eval()
    victim = Classifier(network, 10)
    pixels = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(4))
    objective = Objective(victim(pixels).argmax(1))
    before = gradient(victim.network, pixels)
    with untouched(network, victim.network):
        favoured, plain = (
            Pgd(PgdSpec(steps=3, random_start=False, skip_gamma=gamma))
            .perturb(victim, pixels, objective, 0.05)
            .images
            for gamma in (0.2, 1.0)
        )
    assert not torch.equal(favoured, plain)
    with pytest.raises(ZeroDivisionError), skip_gradients(victim.network, GAMMA):
        raise ZeroDivisionError
    assert torch.equal(gradient(victim.network, pixels), before)
    assert all(not module._forward_hooks for module in victim.network.modules())


def test_what_is_off_is_left_out_of_the_digest():
    for spec in (PgdSpec, TransferSpec):
        assert "skip_gamma" not in spec().canonical_json()
        assert spec(skip_gamma=0.5).digest() != spec().digest()
