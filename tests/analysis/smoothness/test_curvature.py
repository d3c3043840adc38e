"""Products, eigenvalues, traces and Lipschitz constants against explicit Hessians in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from nasaudit.analysis.frozen import frozen
from nasaudit.analysis.smoothness import parameter_loss
from nasaudit.analysis.smoothness.curvature import FunctionLoss, by_differences, pixel_loss
from nasaudit.analysis.smoothness.hutchinson import hutchinson
from nasaudit.analysis.smoothness.lanczos import lanczos
from nasaudit.analysis.smoothness.lipschitz import directions, gradient_lipschitz
from nasaudit.analysis.smoothness.parameter_loss import ParameterLoss
from nasaudit.analysis.smoothness.second_derivatives import check_independent, check_second_derivatives
from nasaudit.errors import MeasurementError, NonFiniteError, SecondDerivativeError

N, CLASSES, SHAPE = 10, 3, (1, 4, 4)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def small(activation: nn.Module, norm: nn.Module | None = None, pool: nn.Module | None = None):
    """About 60 parameters, in float64, batch statistics far from initial."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1),
            norm or nn.BatchNorm2d(3),
            activation,
            pool or nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(12, CLASSES),
        ).double()
        for p in network.parameters():
            nn.init.normal_(p, 0.2, 0.6)
    if getattr(network[1], "track_running_stats", False):
        network[1].running_mean = random(3, seed=5) * 0.3
        network[1].running_var = random(3, seed=6).abs() + 0.5
    return frozen(network)


NETWORKS = {
    "relu": lambda: small(nn.ReLU()),
    "in place": lambda: small(nn.ReLU(inplace=True)),
    "smooth": lambda: small(nn.GELU()),
    "max pooling": lambda: small(nn.ReLU(), pool=nn.MaxPool2d(2)),
    "group norm": lambda: small(nn.SiLU(inplace=True), norm=nn.GroupNorm(1, 3)),
    "no norm": lambda: small(nn.Tanh(), norm=nn.Identity()),
    "in place first": lambda: frozen(nn.Sequential(nn.ReLU(inplace=True), small(nn.Softplus()))),
}
PIXELS = torch.rand(N, *SHAPE, generator=generator(1), dtype=torch.float64)
LABELS = torch.randint(0, CLASSES, (N,), generator=generator(2))


def parameter_hessian(network):
    """By torch.autograd.functional, independent of what is tested."""
    names = [name for name, _ in network.named_parameters()]
    shapes = [p.shape for p in network.parameters()]

    def loss(flat):
        parts = torch.split(flat, [shape.numel() for shape in shapes])
        named = {name: part.reshape(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        logits = torch.func.functional_call(network, named, (PIXELS.clone(),))
        return nn.functional.cross_entropy(logits, LABELS)

    point = torch.cat([p.detach().flatten() for p in network.parameters()])
    return torch.autograd.functional.hessian(loss, point)


def pixel_hessians(network):
    """One for each image, each from a network that sees this image alone."""

    def loss(x, number):
        logits = network(x.reshape(1, *SHAPE).clone())
        return nn.functional.cross_entropy(logits, LABELS[number : number + 1])

    return torch.stack(
        [torch.autograd.functional.hessian(lambda x, k=k: loss(x, k), PIXELS[k].flatten()) for k in range(N)]
    )


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kept", [True, False], ids=["graph kept", "rebuilt"])
def test_a_product_by_the_parameters_is_that_of_the_explicit_hessian(name, kept, monkeypatch):
    network = NETWORKS[name]()
    hessian = parameter_hessian(network)
    monkeypatch.setattr(parameter_loss, "GRAPH_BYTES", 1 << 40 if kept else 0)
    monkeypatch.setattr(parameter_loss, "MOST_IMAGES", 4)  # chunks of 4, 4 and 2 images
    loss = ParameterLoss(network, PIXELS, LABELS)
    assert loss.chunks == 3
    for seed in range(3):
        v = random(*loss.point.shape, seed=seed)
        torch.testing.assert_close(loss.product(v), v @ hessian, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_top_eigenvalue_by_the_parameters_is_that_of_the_explicit_hessian(name):
    network = NETWORKS[name]()
    values = torch.linalg.eigvalsh(parameter_hessian(network))
    loss = ParameterLoss(network, PIXELS, LABELS)
    top = lanczos(loss.product, random(*loss.point.shape), 40, 1e-8)
    assert top.value.item() == pytest.approx(values[-1].item(), rel=1e-8)
    early = lanczos(loss.product, random(*loss.point.shape), 4, 0.0)
    # The enclosure: a Ritz value is never too large, and some eigenvalue is within the residual.
    assert early.value.item() <= values[-1].item() + 1e-12
    assert (values - early.value).abs().min().item() <= early.residual.item() * (1 + 1e-9)
    y = early.vector
    residual = (loss.product(y) - early.value[0] * y).norm().item()
    assert early.residual.item() == pytest.approx(residual, rel=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_eigenvalues_and_products_by_the_pixels_are_those_of_each_image_alone(name):
    network = NETWORKS[name]()
    hessians = pixel_hessians(network)
    loss = pixel_loss(network, PIXELS, LABELS)
    v = random(*loss.point.shape)
    expected = torch.einsum("nij,nj->ni", hessians, v)
    torch.testing.assert_close(loss.product(v), expected, rtol=1e-9, atol=1e-12)
    top = lanczos(loss.product, v, 16, 1e-8)
    torch.testing.assert_close(top.value, torch.linalg.eigvalsh(hessians)[:, -1], rtol=1e-7, atol=1e-10)
    traces = hutchinson(loss.product, loss.point, 200, generator())
    exact = hessians.diagonal(dim1=1, dim2=2).sum(1)
    error = traces.std(dim=0) / len(traces) ** 0.5
    assert ((traces.mean(dim=0) - exact).abs() <= 4 * error + 1e-12).all()


def power_iteration(product, start, iterations):
    """The eigenvalues of largest magnitude, [N], of either sign."""
    vector = start / start.norm(dim=1, keepdim=True)
    for _ in range(iterations):
        image = product(vector)
        value, norm = (image * vector).sum(dim=1), image.norm(dim=1, keepdim=True)
        vector = torch.where(norm > 0, image / torch.where(norm > 0, norm, 1), vector)
    return value


def test_a_power_iteration_finds_the_largest_in_magnitude():
    diagonal = torch.tensor([[3.0, -7.0, 2.0]], dtype=torch.float64)
    value = power_iteration(lambda v: diagonal * v, torch.ones(1, 3, dtype=torch.float64), 60)
    assert value.item() == pytest.approx(-7)


def test_a_power_iteration_and_its_shift_agree_with_lanczos():
    """The largest in magnitude, and then the largest of what is left when that is moved to zero."""
    loss = pixel_loss(NETWORKS["smooth"](), PIXELS, LABELS)
    start = random(*loss.point.shape)
    largest = power_iteration(loss.product, start, 400)
    shift = largest.clamp_max(0)[:, None]
    shifted = power_iteration(lambda v: loss.product(v) - shift * v, start, 400)
    top = lanczos(loss.product, start, 16, 1e-9)
    torch.testing.assert_close(shifted + shift[:, 0], top.value, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(
    "values",
    [
        [5.0, 1, -9],
        [-1.0, -4, -9],
        [-2.0, -2, -2],
        [0.0, 0, 0],
        [7.0, 7, 1],
        [1e-6, -1e-9, 0],
        [3.0, 0, 0],
    ],
)
def test_lanczos_finds_the_algebraically_largest_eigenvalue_of_any_spectrum(values):
    diagonal = torch.tensor([values, [1.0, 2, 3]], dtype=torch.float64)
    top = lanczos(lambda v: diagonal * v, random(2, 3), 3, 0.0)
    torch.testing.assert_close(top.value, diagonal.amax(dim=1), rtol=1e-10, atol=1e-20)
    torch.testing.assert_close(top.vector.norm(dim=1), torch.ones(2, dtype=torch.float64))


def test_the_product_of_an_empirical_fisher_would_be_told_apart():
    """What the tests above are there to catch: another matrix in the Hessian's place."""
    network = NETWORKS["smooth"]()
    hessian = parameter_hessian(network)
    loss = ParameterLoss(network, PIXELS, LABELS)
    jacobian = torch.stack(
        [
            ParameterLoss(network, PIXELS[k : k + 1], LABELS[k : k + 1]).gradient(loss.point)[0]
            for k in range(N)
        ]
    )
    fisher = jacobian.T @ jacobian / N
    wrong = lanczos(lambda v: v @ fisher, random(*loss.point.shape), 40, 1e-8)
    assert wrong.value.item() != pytest.approx(torch.linalg.eigvalsh(hessian)[-1].item(), rel=1e-2)


def test_the_trace_is_within_its_interval_and_exact_for_a_diagonal_operator():
    hessian = parameter_hessian(NETWORKS["smooth"]())
    exact, inside = hessian.trace().item(), 0
    for seed in range(200):
        found = hutchinson(lambda v: v @ hessian, hessian[:1], 10, generator(seed))[:, 0].numpy()
        inside += abs(found.mean() - exact) <= 2.262 * found.std(ddof=1) / np.sqrt(10)
    assert 180 <= inside <= 199
    diagonal = random(2, 9)
    traces = hutchinson(lambda v: diagonal * v, diagonal, 3, generator())
    torch.testing.assert_close(traces, diagonal.sum(1).expand(3, 2))


def quadratic(matrix):
    return FunctionLoss(
        lambda x: torch.einsum("ni,ij,nj->n", x, matrix, x) / 2, random(2, len(matrix), seed=7)
    )


def test_a_quadratic_has_its_own_eigenvalue_trace_and_lipschitz_constant():
    matrix = random(6, 6)
    matrix = matrix + matrix.T
    loss = quadratic(matrix)
    values, vectors = torch.linalg.eigh(matrix)
    top = lanczos(loss.product, random(2, 6), 6, 0.0)
    torch.testing.assert_close(top.value, values[-1].expand(2))
    # Along each eigenvector of a quadratic the gradient changes by the eigenvalue, whatever the radius.
    along = [vector.expand(2, 6) for vector in vectors.T]
    for radius in (1e-3, 1.0, 10.0):
        constant = gradient_lipschitz(loss, along, radius)
        torch.testing.assert_close(constant, values.abs().max().expand(2), rtol=1e-9, atol=0)
        some = gradient_lipschitz(loss, directions(random(2, 6), top.vector, 5, generator()), radius)
        assert (some >= values[-1] * (1 - 1e-9)).all()
        assert (some <= values.abs().max() * (1 + 1e-9)).all()


def test_directions_have_unit_length_also_where_the_gradient_is_zero_or_tiny():
    gradient = torch.tensor([[0.0, 0, 0], [1e-30, 0, 0], [3.0, 4, 0]])
    eigenvector = torch.tensor([[1.0, 0, 0], [1, 0, 0], [-1, 0, 0]])
    first, second, third, fourth = directions(gradient, eigenvector, 4, generator())
    for each in (first, second, third, fourth):
        torch.testing.assert_close(each.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(first[1:], torch.tensor([[1.0, 0, 0], [0.6, 0.8, 0]]))
    assert second[2].tolist() == [1, 0, 0]  # uphill
    torch.testing.assert_close(third, -second)


def test_a_difference_of_gradients_sees_a_kink_that_the_hessian_does_not():
    """L = |x| is linear on both sides: its gradient jumps by 2 within a step of 1 from .5."""
    loss = FunctionLoss(lambda x: x.abs().sum(dim=1), torch.full((1, 1), 0.5, dtype=torch.float64))
    down = -torch.ones(1, 1, dtype=torch.float64)
    assert loss.product(down).item() == 0
    assert gradient_lipschitz(loss, [down], 1.0).item() == 2
    assert gradient_lipschitz(loss, [down], 0.4).item() == 0


@pytest.mark.parametrize(
    "make", [lambda n: ParameterLoss(n, PIXELS, LABELS), lambda n: pixel_loss(n, PIXELS, LABELS)]
)
def test_differences_stand_in_for_the_product(make):
    loss = make(NETWORKS["smooth"]())
    v = random(*loss.point.shape)
    torch.testing.assert_close(by_differences(loss)(v), loss.product(v), rtol=1e-5, atol=1e-6)
    assert not by_differences(loss)(torch.zeros_like(v)).any()


def test_a_constant_loss_has_no_curvature():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.ones(4, dtype=torch.float64))

        def forward(self, x):
            return torch.zeros(len(x), CLASSES, dtype=x.dtype)

    for loss in (ParameterLoss(Constant(), PIXELS, LABELS), pixel_loss(Constant(), PIXELS, LABELS)):
        top = lanczos(loss.product, random(*loss.point.shape), 4)
        assert not top.value.any()
        assert not loss.gradient(loss.point).any()
        along = directions(loss.gradient(loss.point), top.vector, 3, generator())
        assert not gradient_lipschitz(loss, along, 0.1).any()


def test_a_loss_that_is_not_finite_is_refused_by_name():
    network = NETWORKS["relu"]()
    with torch.no_grad():
        network[0].weight[0, 0, 0, 0] = torch.nan
    loss = ParameterLoss(network, PIXELS, LABELS)
    with pytest.raises(NonFiniteError, match=r"Hessian-vector product .* parameters"):
        loss.product(torch.ones_like(loss.point))
    by_pixels = pixel_loss(network, PIXELS, LABELS)
    with pytest.raises(NonFiniteError, match=r"gradient .* pixels"):
        by_pixels.gradient(by_pixels.point)


# Layers without a second derivative.


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient


class CutOff(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0].detach() * gradient.detach()


class HalfCutOff(CutOff):
    """Its gradient still hangs on x, and no more on the gradient that came in."""

    @staticmethod
    def backward(ctx, gradient):
        return 2 * ctx.saved_tensors[0] * gradient.detach()


def layer(function):
    class Square(nn.Module):
        def forward(self, x):
            return function.apply(x)

    return Square()


@pytest.mark.parametrize(
    ("function", "why"), [(Once, "once only"), (CutOff, "cut off"), (HalfCutOff, "cut off")]
)
def test_a_layer_without_a_second_derivative_is_refused_by_name(function, why):
    head = nn.Sequential(nn.Flatten(), nn.Linear(8, CLASSES))
    network = frozen(nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), layer(function)), head).double())
    with pytest.raises(SecondDerivativeError, match=rf"0\.1 \(Square\): .*{why}"):
        check_second_derivatives(network, PIXELS)


@pytest.mark.parametrize("name", NETWORKS)
def test_ordinary_layers_pass(name):
    check_second_derivatives(NETWORKS[name](), PIXELS)
    check_independent(NETWORKS[name](), PIXELS, LABELS)


def test_images_that_are_normalised_together_have_no_hessian_of_their_own():
    network = small(nn.ReLU(), norm=nn.BatchNorm2d(3, track_running_stats=False))
    with pytest.raises(MeasurementError, match="track_running_stats"):
        check_independent(network, PIXELS, LABELS)
