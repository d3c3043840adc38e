import torch

from nasaudit.arch.cells import dense_gradient
from nasaudit.arch.depthwise import channels_last


def test_the_layout_is_torchs_and_is_copied_only_where_needed():
    x = torch.rand(3, 5, 4, 6)
    expected = x.contiguous(memory_format=torch.channels_last)
    found = channels_last(x)
    assert torch.equal(found, expected)
    assert found.stride() == expected.stride()
    assert channels_last(expected).data_ptr() == expected.data_ptr()
    # The gradient of a mean is expanded: all its strides are zero.
    assert channels_last(torch.ones(1, 1, 1, 1).expand(3, 5, 4, 6)).stride() == expected.stride()


def test_a_dense_gradient_is_mapped_and_differentiated_twice():
    def cube(x):
        return (dense_gradient(x) ** 3).sum()

    x = torch.rand(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    single = torch.func.vmap(torch.func.grad(cube))(x[:, None].detach())
    torch.testing.assert_close(single[:, 0], 3 * x.detach() ** 2)
    (first,) = torch.autograd.grad(cube(x), x, create_graph=True)
    assert first.is_contiguous(memory_format=torch.channels_last)
    (second,) = torch.autograd.grad(first.sum(), x)
    torch.testing.assert_close(second, 6 * x.detach())
