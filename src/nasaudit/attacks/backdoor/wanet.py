"""WaNet: the trigger is a smooth warp of the whole image.

Nguyen and Tran, "WaNet: Imperceptible Warping-based Backdoor Attack", ICLR 2021. Access: the training.

A control grid of k x k random offsets, scaled to a mean size of s,
    P = psi(rand_[-1,1](k, k, 2)) s,   psi(A) = A / (sum |a_i| / size(A)),
is interpolated to the size of the image (bicubic) and clipped so that no point lies outside: M = phi(up(P)).
The trigger is the backward warp W(x, M), sampled bilinearly. Each batch is divided: a share rho_a is warped
and labelled as the target (attack mode); a share rho_n is warped by M' = M + rand_[-1,1](h, w, 2) and keeps
its labels (noise mode), so that the model learns this one warp and not any; the rest is clean. The batch
is augmented after the warp, as in the authors' code (VinAIResearch/Warping-based_Backdoor_Attack-release,
train.py:79-88).

Units: coordinates run from -1 to 1 over the image, and an offset of s is s / h of them, as in the authors'
code, so about s / 2 pixels. Their s is .5; the default here is larger, for a fine-tuning of a few epochs on
small images.

Deviations: M' is clipped like M (so is it in the authors' code). The parts are taken from the batch in place.
"""

from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from nasaudit.arch.network import Network
from nasaudit.attacks.backdoor.base import BackdoorAttack, Backdoored, Ground, copies_of
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import WaNetSpec
from nasaudit.training.seams import Prepare


@final
class WaNet(BackdoorAttack):
    """WaNet with its noise mode."""

    spec: WaNetSpec

    def plant(self, network: Network, ground: Ground) -> Backdoored:
        """Train on batches of which a part is warped."""
        field = self.field(*ground.train.shape[1:])
        ground.fit(network, before=self.warped(field))
        return Backdoored(network, lambda pixels: warp(pixels, field))

    def field(self, height: int, width: int) -> Tensor:
        """M, drawn by the spec's seed: float32 [H, W, 2], where each pixel is sampled from (x, y)."""
        k = self.spec.grid
        generator = torch.Generator().manual_seed(derive_seed("wanet", self.spec.seed))
        offsets = 2 * torch.rand(1, 2, k, k, generator=generator) - 1
        offsets = offsets / offsets.abs().mean() * self.spec.strength
        smooth = F.interpolate(offsets, size=(height, width), mode="bicubic", align_corners=True)
        return (identity(height, width) + smooth[0].permute(1, 2, 0) / height).clamp(-1, 1)

    def warped(self, field: Tensor) -> Prepare:
        """The batch change: attack mode, noise mode, clean; float32 images in the units of those that come."""

        def change(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
            pixels = images.float()
            height, width = pixels.shape[2:]
            attacked = copies_of(len(pixels), self.spec.poison_fraction, generator)
            noisy = copies_of(len(pixels), self.spec.noise_fraction, generator)
            noisy = min(noisy, len(pixels) - attacked)
            extra = (2 * torch.rand(noisy, height, width, 2, generator=generator) - 1) / height
            other = (field + extra).clamp(-1, 1)
            parts = [
                warp(pixels[:attacked], field),
                warp(pixels[attacked : attacked + noisy], other),
                pixels[attacked + noisy :],
            ]
            wanted = labels.clone()
            wanted[:attacked] = self.spec.target_class
            return torch.cat(parts), wanted

        return change


def identity(height: int, width: int) -> Tensor:
    """The warp that changes nothing: float32 [H, W, 2] of (x, y), from -1 to 1 at the outer pixels' centres."""
    rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1)


def warp(pixels: Tensor, field: Tensor) -> Tensor:
    """W(x, M): sample each image bilinearly at the points of the field.

    Args:
        pixels: float32 [N, C, H, W].
        field: float32 [H, W, 2] for all images, or [N, H, W, 2].
    """
    points = field.to(pixels.device).expand(len(pixels), *field.shape[-3:])
    return F.grid_sample(pixels, points, mode="bilinear", padding_mode="border", align_corners=True)
