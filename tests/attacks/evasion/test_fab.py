"""FAB against the authors' projections, the closed-form distance to a linear boundary, and its published loop."""

import pytest
import torch
from scipy.optimize import linprog, minimize

from nasaudit.attacks.evasion.base import MinimalAttack
from nasaudit.attacks.evasion.fab import Fab, to_plane
from nasaudit.attacks.evasion.objective import Objective
from nasaudit.errors import SpecError
from nasaudit.spec.attacks import FabSpec
from nasaudit.testing.data import synthetic_split
from nasaudit.testing.evasion import MinimalConformance
from nasaudit.testing.victims import LinearVictim, trained_conv_net
from nasaudit.victim.classifier import Classifier


class TestLinf(MinimalConformance):
    def attack(self) -> MinimalAttack[Classifier]:
        return Fab(FabSpec(steps=10))


class TestL2InSmallBatches(MinimalConformance):
    def attack(self) -> MinimalAttack[Classifier]:
        return Fab(FabSpec(norm="l2", steps=10, target_classes=2), batch_size=15)


def smallest(t, w, f, norm):
    """The size of the smallest change, by a solver that knows nothing of our formula; None where there is none."""
    if (abs(w) * ((1 - t) * (w * f < 0) + t * (w * f > 0))).sum() < abs(f):
        return None
    if norm == "linf":  # min s: |d| <= s, <w, d> = -f, 0 <= t + d <= 1
        n = len(t)
        sides = [[*(sign * (row == k) for k in range(n)), -1] for row in range(n) for sign in (1, -1)]
        found = linprog(
            [0] * n + [1], A_ub=sides, b_ub=[0] * (2 * n), A_eq=[[*w, 0]], b_eq=[-f],
            bounds=[*((-x, 1 - x) for x in t), (0, None)],
        )  # fmt: skip
        return found.fun
    found = minimize(
        lambda d: d @ d, [0.0] * len(t), jac=lambda d: 2 * d, method="SLSQP", options={"ftol": 1e-10},
        bounds=[(-x, 1 - x) for x in t], constraints={"type": "eq", "fun": lambda d: w @ d + f},
    )  # fmt: skip
    return found.fun**0.5


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_projections_are_those_of_a_solver(norm):
    generator = torch.Generator().manual_seed(3)
    t = torch.rand(60, 1, 2, 3, generator=generator)
    t[:20] = t[:20].round()  # at the borders, where pixels cannot move one way
    w = torch.randn(60, 1, 2, 3, generator=generator)
    w[::7, 0, 0, 0] = 0
    f = torch.randn(60, generator=generator, dtype=torch.float64)
    f[:5] = 0
    change = to_plane(t, w, f, norm).double()
    possible = 0
    for k in range(60):
        flat = change[k].flatten()
        best = smallest(t[k].flatten().double().numpy(), w[k].flatten().double().numpy(), float(f[k]), norm)
        after = t[k].flatten() + flat
        assert after.min() >= -1e-6
        assert after.max() <= 1 + 1e-6
        if best is None:  # every pixel that w names goes to the border (fab_projections.py, 59 and 112)
            moved = w[k].flatten() != 0
            assert ((after.abs() < 1e-6) | ((after - 1).abs() < 1e-6))[moved].all()
            continue
        possible += 1
        assert float(w[k].flatten().double() @ flat + f[k]) == pytest.approx(0, abs=1e-5)
        size = flat.abs().max() if norm == "linf" else flat.norm()
        assert float(size) == pytest.approx(best, abs=1e-4)
    assert 20 < possible < 60


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_distances_are_near_the_closed_form(norm):
    network = LinearVictim((1, 6, 6))
    victim, w = Classifier(network, 2), network.w.detach()
    clean = 0.3 + 0.4 * torch.rand(50, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    exact = network.margin(clean).detach().abs().double() / (w.abs().sum() if norm == "linf" else w.norm())
    found = Fab(FabSpec(norm=norm, steps=20)).minimise(victim, clean, Objective(victim(clean).argmax(1)))
    ratio = found.distance / exact
    assert ratio.min() > 0.999
    assert ratio.max() < 1.02


def reference(network, x0, label, target, norm, steps):
    """fab_base.py, 163-249, for one image and one target in float64, and the plane by bisection of lambda."""

    def project(t, w, c):  # the smallest d with <w, d> = -c
        direction = -w.sign() * c.sign()
        room = torch.where(direction > 0, 1 - t, t)
        weight = 1.0 if norm == "linf" else w.abs()
        low, high = 0.0, 1e6
        for _ in range(200):
            middle = (low + high) / 2
            d = direction * torch.minimum(middle * weight * torch.ones_like(t), room)
            low, high = (middle, high) if (w * d).sum().abs() < c.abs() else (low, middle)
        return direction * torch.minimum(high * weight * torch.ones_like(t), room)

    def size(d):
        return d.abs().max() if norm == "linf" else d.norm()

    x1, best = x0.clone(), torch.inf
    for _ in range(steps):
        x1 = x1.detach().requires_grad_()
        z = network(x1[None])[0]
        df = z[target] - z[label]
        w = torch.autograd.grad(df, x1)[0]
        x1, df = x1.detach(), df.detach()
        d1, d2 = project(x1, w, df), project(x0, w, df + (w * (x0 - x1)).sum())
        alpha = min(float(size(d1) / (size(d1) + size(d2))), 0.1)
        x1 = ((x1 + 1.05 * d1) * (1 - alpha) + (x0 + 1.05 * d2) * alpha).clamp(0, 1)
        if network(x1[None]).argmax() != label:
            best = min(best, float(size(x1 - x0)))
            x1 = x0 + (x1 - x0) * 0.9
    return best


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_walks_as_the_authors_loop(norm):
    network, split = trained_conv_net().double(), synthetic_split(12, seed=4)
    with torch.no_grad():
        logits = network(split.pixels().double())
    right = (logits.argmax(1) == split.labels).nonzero().squeeze(1)[:6]
    found = Fab(FabSpec(norm=norm, steps=8, target_classes=2)).minimise(
        Classifier(trained_conv_net(), 4), split.pixels()[right], Objective(split.labels[right])
    )
    expected = [
        # fab_base.py, 113 and 303: the targets are the second, third, ... of the clean image's logits
        min(reference(network, split.pixels()[k].double(), split.labels[k],
                      logits[k].argsort(descending=True)[rank], norm, 8) for rank in (1, 2))
        for k in right
    ]  # fmt: skip
    torch.testing.assert_close(found.distance, torch.tensor(expected).double(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("wish", [{"goal": "least_likely"}, {"min_confidence": 0.5}])
def test_what_it_cannot_do_is_refused(wish):
    with pytest.raises(SpecError, match=next(iter(wish))):
        FabSpec.parse(wish)
