"""What a mixture pays for the way in which the loss hangs on the pixels.

Both are differentiated once more, by the mixture. Images are standardised (mean 0 and standard deviation 1 of each
channel), as both codes have them.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nasaudit.spec.searches.penalties import AdvRushSpec, InputGradientSpec

Logits = Callable[[Tensor], Tensor]  # standardised images [N, C, H, W] -> [N, classes], under one mixture


def advrush(logits: Logits, images: Tensor, labels: Tensor, spec: AdvRushSpec) -> Tensor:
    """mean_n || grad_n L(x + z) - grad_n L(x) ||, with z_n = distance * sign(grad_n L(x)) / || sign(...) ||.

    L is the mean cross entropy of the batch, so the norms shrink with its size. The sum behind it is that of CURE
    (Moosavi-Dezfooli et al., CVPR 2019), whose square is left out. nutellamok/advrush a15b26a,
    advrush/regularizer.py:31-67; the network is in evaluation mode there, and stays in it for the step of the weights
    that follows, which is not repeated here.
    """
    images = images.detach().requires_grad_()

    def loss(at: Tensor) -> Tensor:
        return nn.functional.cross_entropy(logits(at), labels)

    before = loss(images)
    sign = torch.autograd.grad(before, images, retain_graph=True)[0].sign()
    step = spec.distance * nn.functional.normalize(sign.flatten(1), dim=1).view_as(sign)
    (change,) = torch.autograd.grad(loss(images + step) - before, images, create_graph=True)
    lengths: Tensor = change.flatten(1).norm(dim=1)
    return lengths.mean()


def input_gradient(logits: Logits, images: Tensor, labels: Tensor, spec: InputGradientSpec) -> Tensor:
    """mean_k || grad of the sum over n of the k-th strongest logit of n || / N, one norm over all images.

    leopard-ai/betty cb6221f, examples/robust_nas/regularizer.py:154-171 (JacobiNormReg).
    """
    images = images.detach().requires_grad_()
    outputs = logits(images)
    strongest = outputs.argsort(dim=1, descending=True).unbind(1)[: spec.logits]
    norms = [
        torch.autograd.grad(outputs.gather(1, of_rank.unsqueeze(1)).sum(), images, create_graph=True)[
            0
        ].norm()
        for of_rank in strongest
    ]
    return torch.stack(norms).mean() / len(images)
