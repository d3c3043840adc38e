"""Fast adaptive boundary: the nearest adversarial example, by projections onto linear boundaries.

Croce and Hein, "Minimally Distorted Adversarial Examples with a Fast Adaptive Boundary Attack", ICML 2020, Algorithm
1, targeted as in AutoAttack. Access: white box.

At a point x^i the boundary between the class c and a class t is taken for the hyperplane pi where the linearised
difference of their logits is zero. Both x^i and the image x_orig are projected onto the part of pi within [0,1]^d,
    delta = proj_p(x^i, pi) - x^i,  delta_orig = proj_p(x_orig, pi) - x_orig,
and the next point lies between the two, a little beyond the plane:
    x^{i+1} = clip( (1 - alpha) (x^i + eta delta) + alpha (x_orig + eta delta_orig) ),
    alpha = min( |delta|_p / (|delta|_p + |delta_orig|_p), alpha_max ).
Where it is adversarial it is noted, and the walk goes on from x_orig + beta (x^{i+1} - x_orig). One walk of `steps`
from the image towards each of its likeliest wrong classes; the nearest example of any wrong class is the result.

Deviations: no restart from a random point and no final search along a line, which AutoAttack leaves out as well.
"""

from typing import final

import torch
from torch import Tensor

from nasaudit.attacks.evasion.base import Attempt, MinimalAttack, Nearest
from nasaudit.attacks.evasion.engine import batch_size_for, look
from nasaudit.attacks.evasion.objective import Objective, lead, towards_wrong_classes
from nasaudit.progress import Progress, part
from nasaudit.spec.attacks import FabSpec, Norm
from nasaudit.victim.batches import in_batches
from nasaudit.victim.classifier import Classifier


@final
class Fab(MinimalAttack[Classifier]):
    """Targeted FAB; nothing is random."""

    spec: FabSpec

    def _minimise(self, victim: Classifier, attempt: Attempt) -> Nearest:
        images, device = attempt.images, attempt.images.device
        logits = in_batches(victim, images, device)
        nearest = images.clone()
        distance = torch.where(attempt.objective.reached(logits), 0.0, torch.inf).double()
        aims = towards_wrong_classes(attempt.objective, logits, self.spec.target_classes)
        standing = distance.isinf().nonzero().squeeze(1)
        batches = torch.split(standing, self.batch_size or batch_size_for(victim.device))
        walks = [(objective, rows) for objective in aims for rows in batches]
        for number, (objective, rows) in enumerate(walks):
            progress = part(attempt.progress, number / len(walks), (number + 1) / len(walks))
            points, found = self._walk(victim, images[rows], objective.take(rows), progress)
            nearer = found < distance[rows]
            nearest[rows[nearer]], distance[rows[nearer]] = points[nearer], found[nearer]
        steps = torch.full_like(distance, self.spec.steps * len(aims), dtype=torch.int64)
        return Nearest(nearest, distance, steps)

    def _walk(
        self, victim: Classifier, x: Tensor, objective: Objective, progress: Progress
    ) -> tuple[Tensor, Tensor]:
        """The nearest adversarial point of one batch, and its distance (infinity where none was adversarial)."""
        spec, point, best = self.spec, x.clone(), x.clone()
        best_distance = torch.full((len(x),), torch.inf, dtype=torch.float64, device=x.device)
        for step in range(spec.steps):
            progress(step / spec.steps)
            seen = look(victim, point, objective, loss=lead, all_gradients=True)
            # The plane is <w, z - x^i> + f = 0: what each of the two points has to change <w, z> by, is minus this.
            f = seen.value.double()
            f_original = f + (seen.gradient.double() * (x.double() - point.double())).flatten(1).sum(1)
            delta = to_plane(point, seen.gradient, f, spec.norm)
            original = to_plane(x, seen.gradient, f_original, spec.norm)
            near, far = (length(change, spec.norm).clamp_min(1e-8) for change in (delta, original))
            alpha = (near / (near + far)).clamp_max(spec.alpha_max).float()[:, None, None, None]
            point = (1 - alpha) * (point + spec.eta * delta) + alpha * (x + spec.eta * original)
            point = point.clamp(0, 1)
            broken = look(victim, point, objective, climb=False).broken
            size = length(point.double() - x.double(), spec.norm)
            nearer = broken & (size < best_distance)
            best[nearer], best_distance[nearer] = point[nearer], size[nearer]
            point = torch.where(broken[:, None, None, None], x + spec.beta * (point - x), point)
        return best, best_distance


def length(change: Tensor, norm: Norm) -> Tensor:
    """Float [N], the norm of each change."""
    flat = change.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)


def to_plane(points: Tensor, w: Tensor, f: Tensor, norm: Norm) -> Tensor:
    """The smallest change d with <w, d> = -f and points + d in [0,1], float32 [N, C, H, W].

    Each pixel moves against sgn(f) w, by lambda (linf) or lambda |w| (l2), until it meets the border of [0,1]. So f
    is made up by sum_k a_k min(lambda, r_k), with a = |w| and r = the room m that is left (linf), or a = w^2 and r =
    m / |w| (l2): a concave function of lambda, linear between the sorted r_k. Where even all borders do not make up
    f, the change goes to all of them, as in the authors' code.

    Args:
        points: float32 [N, C, H, W].
        w: float32 [N, C, H, W], the normal of each plane.
        f: float64 [N], <w, points> minus what it is on the plane.
        norm: whose smallest change is wanted.
    """
    t = points.flatten(1).double()
    downhill = -f.sign()[:, None] * w.flatten(1).double()
    room = torch.where(downhill > 0, 1 - t, t)
    size = downhill.abs()
    moves = size > 0
    if norm == "linf":
        a, r = size, room
    else:
        a, r = size.square(), room / torch.where(moves, size, 1.0)
    r = torch.where(moves, r, torch.inf)
    r_sorted, order = r.sort(dim=1)
    a_sorted = a.gather(1, order)
    finite = torch.where(r_sorted.isfinite(), r_sorted, 0.0)
    filled = (a_sorted * finite).cumsum(1)  # by the pixels 1..k at their borders
    slope = a_sorted.sum(1, keepdim=True) - a_sorted.cumsum(1)  # of the others
    made_up = torch.where(r_sorted.isfinite(), filled + finite * slope, torch.inf)  # at lambda = r_k
    k = torch.searchsorted(made_up, f.abs()[:, None].contiguous())
    before = torch.where(k > 0, filled.gather(1, (k - 1).clamp_min(0)), 0.0)
    ahead = torch.where(k > 0, slope.gather(1, (k - 1).clamp_min(0)), a_sorted.sum(1, keepdim=True))
    # Beyond the last pixel nothing is left to move: lambda is infinite.
    lam = torch.where(ahead > 0, (f.abs()[:, None] - before) / ahead.clamp_min(1e-300), torch.inf)
    beyond = (k >= made_up.shape[1]) | made_up.gather(1, k.clamp_max(made_up.shape[1] - 1)).isinf()
    lam = torch.where(beyond, torch.inf, lam)
    far = torch.minimum(lam, r)
    change = torch.where(moves, downhill.sign() * far * (1.0 if norm == "linf" else size), 0.0)
    return change.reshape(points.shape).float()
