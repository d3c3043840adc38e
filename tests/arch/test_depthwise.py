import pytest
import torch
from torch import nn

from nasaudit.arch.depthwise import DepthwiseConv, dilated, padded
from nasaudit.arch.ops import FactorizedReduce


@pytest.mark.parametrize("side", [(28, 28), (7, 9), (8, 5)])
@pytest.mark.parametrize(
    ("dilation", "stride", "kernel"), [(1, 1, 3), (1, 2, 5), (2, 1, 3), (2, 2, 5), (3, 1, 3), (2, 3, 3)]
)
def test_depthwise_equals_the_library_convolution(side, dilation, stride, kernel):
    """Values and both gradients, in float64."""
    torch.manual_seed(0)
    ours = DepthwiseConv(6, kernel, stride, dilation, bias=True).double()
    theirs = nn.Conv2d(6, 6, kernel, stride, dilation * (kernel // 2), dilation, groups=6).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(3, 6, *side, dtype=torch.double).to(memory_format=torch.channels_last)
    inputs = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    outputs = [
        dilated(inputs[0], ours.weight, ours.bias, stride, dilation),
        theirs(inputs[1]),
    ]
    torch.testing.assert_close(outputs[0], outputs[1])
    torch.testing.assert_close(ours(x), outputs[1])
    gradient = torch.randn_like(outputs[1])
    for output in outputs:
        output.backward(gradient)
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)


@pytest.mark.parametrize("side", [28, 7, 1])
def test_factorized_reduce_is_the_same_with_and_without_gradients(side):
    torch.manual_seed(0)
    reduce = FactorizedReduce(6, 10).double().eval()
    x = torch.randn(2, 6, side, side, dtype=torch.double)
    with torch.no_grad():
        textbook = reduce(x)
    torch.testing.assert_close(reduce(x), textbook)
    assert textbook.shape == (2, 10, -(-side // 2), -(-side // 2))


def test_sides_that_need_no_zeros_are_not_copied():
    even, odd = torch.rand(2, 3, 6, 8), torch.rand(2, 3, 5, 7)
    assert padded(even, 2) is even
    torch.testing.assert_close(padded(odd, 2), nn.functional.pad(odd, (0, 1, 0, 1)), rtol=0, atol=0)
    torch.testing.assert_close(padded(odd, 3), nn.functional.pad(odd, (0, 2, 0, 1)), rtol=0, atol=0)
