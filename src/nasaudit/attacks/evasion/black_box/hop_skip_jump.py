"""HopSkipJump: a walk along the decision boundary, led by labels alone.

Chen, Jordan and Wainwright, "HopSkipJumpAttack: A Query-Efficient Decision-Based Attack", IEEE Symposium on
Security and Privacy 2020. Access: label-based black box.

phi(x') is 1 where x' is adversarial and -1 where it is not. From any adversarial x~_0 repeat, for t = 1, 2,
... (algorithm 2):

1. Projection onto the boundary: bisect between the image x* and x~_{t-1}, down to a share theta of their
   distance (algorithm 1), in l2 along the line between them, in linf by clipping x~ to boxes around x*.
2. Estimation of the gradient's direction at the boundary point x_t, from B_t = B_0 sqrt(t) random unit
   vectors u_b and with the mean as a baseline (equation 16),

       v_t = 1/(B_t - 1) sum_b ( phi(x_t + delta u_b) - mean phi ) u_b,    in linf its sign,

   with delta = |x~_{t-1} - x*|_p / d, where d counts the pixel values.
3. The step x~_t = x_t + xi_t v_t / |v_t| with xi_t = |x_t - x*|_p / sqrt(t), halved until x~_t is adversarial.

theta = 1 / (d sqrt(d)) in l2 and 1 / d^2 in linf. After the last step comes one more projection.

As in the authors' code: delta is .1 in the first iteration; u_b are drawn from N(0, I) (l2) or uniformly from
the cube (linf), and shortened to what the clipping to [0,1] leaves of them; if all phi are equal, v_t is +-
the mean of u_b; the first adversarial image is uniform noise, in linf moved along the line to x* within 1e-3
first.

Deviations: where noise of single pixels is never misclassified, noise of ever coarser blocks is tried; xi is
halved at most as often as a projection bisects; the nearest of all boundary points is returned, not the last
one; an image whose own query budget ends keeps what it has, and its last estimate takes what the projection
after it can spare.
"""

from contextlib import suppress
from math import ceil, log2, sqrt
from typing import final

import torch
from torch import Tensor

from nasaudit.attacks.evasion import noise
from nasaudit.attacks.evasion.base import Attempt, MinimalAttack, Nearest
from nasaudit.attacks.evasion.black_box.queries import Questions
from nasaudit.errors import QueryBudgetError
from nasaudit.spec.attacks import HopSkipJumpSpec
from nasaudit.victim.oracle import Oracle

FIRST_DELTA = 0.1
FIRST_LINE_THRESHOLD = 1e-3
# Noise to start from: each size of block, in pixels, gets its share of the tries.
BLOCKS = (1, 2, 4, 8, 16)


@final
class HopSkipJump(MinimalAttack[Oracle]):
    """All images walk side by side, each in its own state."""

    spec: HopSkipJumpSpec

    def _minimise(self, victim: Oracle, attempt: Attempt) -> Nearest:
        """When the oracle's budget is used up the attack ends, and returns what it has."""
        questions = Questions(victim, len(attempt.images), self.batch_size, attempt.progress)
        walk = _Walk(self.spec, questions, attempt)
        with suppress(QueryBudgetError):
            walk.run()
        # A projection that was cut short may have come nearer.
        walk.note(walk.started.nonzero().squeeze(1))
        return Nearest(walk.nearest, walk.distance, walk.steps, questions.queries)


class _Walk:
    """The state of N images; at any moment each started image stands at an adversarial point.

    Attributes:
        points: float32 [N, C, H, W], where they stand.
        started: bool [N], whether an adversarial point was found.
        nearest: float32 [N, C, H, W], the nearest boundary point so far.
        distance: float64 [N], its distance.
        steps: int64 [N].
    """

    def __init__(self, spec: HopSkipJumpSpec, questions: Questions, attempt: Attempt):
        images = attempt.images
        self.spec, self.questions, self.images = spec, questions, images
        self.objective, self.indices, self.seed = attempt.objective, attempt.indices, attempt.seed
        self.points, self.nearest = images.clone(), images.clone()
        self.started = torch.zeros(len(images), dtype=torch.bool, device=images.device)
        self.distance = torch.full((len(images),), torch.inf, dtype=torch.float64, device=images.device)
        self.steps = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        self.d = images.shape[1:].numel()
        self.theta = 1 / (self.d * sqrt(self.d)) if spec.norm == "l2" else 1 / self.d**2

    def run(self) -> None:
        """Steps 1 to 3 for all images; whatever interrupts it leaves the state as described."""
        live = self._start()
        if self.spec.norm == "linf":
            self._bisect(live, FIRST_LINE_THRESHOLD, along_line=True)
        before = self._length(live)
        self._project(live)
        budgets = [self._evaluations(t) for t in range(1, self.spec.iterations + 1)]
        for t, evaluations in enumerate(budgets, start=1):
            self.questions.done = sum(budgets[: t - 1]) / sum(budgets)
            # What the projection and one trial of the step will need is not spent on the estimate.
            spare = self._left(live) - ceil(log2(1 / self.theta)) - 1
            going = spare >= 1
            live, before, spare = live[going], before[going], spare[going]
            if len(live) == 0:
                return
            delta = torch.full_like(before, FIRST_DELTA) if t == 1 else before / self.d
            direction = self._direction(live, delta.float().clamp_min(1e-30), spare.clamp_max(evaluations), t)
            self._step(live, direction, t)
            before = self._length(live)
            self._project(live)
            self.steps[live] = t

    def note(self, rows: Tensor) -> None:
        """Keep the points that are the nearest so far."""
        length = self._length(rows)
        better = length < self.distance[rows]
        self.distance[rows[better]] = length[better]
        self.nearest[rows[better]] = self.points[rows[better]]

    def _start(self) -> Tensor:
        """The rows that have an adversarial point to start from; those broken already are done."""
        every = torch.arange(len(self.images), device=self.images.device)
        broken = self._adversarial(every, self.images)
        self.distance[broken] = 0
        waiting = every[~broken]
        channels, height, width = self.images.shape[1:]
        for number in range(self.spec.initial_tries):
            waiting = waiting[self._left(waiting) >= 1]
            if len(waiting) == 0:
                break
            # Uniform noise, the same within each block of pixels.
            block = BLOCKS[number * len(BLOCKS) // self.spec.initial_tries]
            cells = (channels, ceil(height / block), ceil(width / block))
            purpose = ("hop_skip_jump", self.seed, "start", number)
            draws = noise.uniform(self.indices[waiting], cells[0] * cells[1] * cells[2], *purpose)
            spread = draws.reshape(-1, *cells).repeat_interleave(block, 2).repeat_interleave(block, 3)
            drawn = spread[:, :, :height, :width]
            broken = self._adversarial(waiting, drawn)
            self.points[waiting[broken]] = drawn[broken]
            self.started[waiting[broken]] = True
            waiting = waiting[~broken]
        return self.started.nonzero().squeeze(1)

    def _project(self, rows: Tensor) -> None:
        self._bisect(rows, self.theta, along_line=self.spec.norm == "l2")
        self.note(rows)

    def _bisect(self, rows: Tensor, threshold: float, along_line: bool) -> None:
        """Algorithm 1: bring points nearer to their images, by a share of the way or by the radius of a box."""
        images, far = self.images[rows], self.points[rows]
        high = torch.ones(len(rows), dtype=torch.float64, device=rows.device)
        if not along_line:
            high = (far.double() - images.double()).flatten(1).abs().amax(1)
        precision = high.clamp_max(1) * threshold
        low = torch.zeros_like(high)
        while True:
            going = ((high - low > precision) & (self._left(rows) >= 1)).nonzero().squeeze(1)
            if len(going) == 0:
                return
            middle = (low + high)[going] / 2
            reach = middle.float()[:, None, None, None]
            if along_line:
                trial = images[going] + reach * (far[going] - images[going])
            else:
                trial = torch.maximum(torch.minimum(far[going], images[going] + reach), images[going] - reach)
            # Rounding must not lead out of the range.
            trial = trial.clamp(0, 1)
            broken = self._adversarial(rows[going], trial)
            self.points[rows[going[broken]]] = trial[broken]
            high[going[broken]] = middle[broken]
            low[going[~broken]] = middle[~broken]

    def _direction(self, rows: Tensor, delta: Tensor, evaluations: Tensor, t: int) -> Tensor:
        """v_t / |v_t|, or in linf its sign; float32 [M, C, H, W].

        Args:
            rows: int64 [M].
            delta: float32 [M], the length of u_b.
            evaluations: int64 [M], how many of the u_b each image can pay for.
            t: the iteration.
        """
        most = int(evaluations.max())
        parts = []
        for part in torch.split(
            torch.arange(len(rows), device=rows.device), max(1, self.questions.batch_size // most)
        ):
            own, asked = rows[part], torch.arange(most, device=rows.device) < evaluations[part, None]
            u = self._unit_vectors(own, t)[:, :most]
            centre = self.points[own].flatten(1)[:, None]
            trials = (centre + delta[part, None, None] * u).clamp_(0, 1)
            u = (trials - centre) / delta[part, None, None]
            owners = own[:, None].expand(-1, most)[asked]
            adversarial = self._adversarial(owners, trials[asked].reshape(-1, *self.images.shape[1:]))
            phi = torch.zeros(asked.shape, device=u.device)
            phi[asked] = torch.where(adversarial, 1.0, -1.0)
            mean = phi.sum(1, keepdim=True) / asked.sum(1, keepdim=True)
            weights = torch.where(mean.abs() == 1, phi, phi - mean) * asked
            parts.append(torch.einsum("mb,mbd->md", weights, u))
        v = torch.cat(parts)
        v = v.sign() if self.spec.norm == "linf" else v / v.norm(dim=1, keepdim=True).clamp_min(1e-30)
        return v.reshape(-1, *self.images.shape[1:])

    def _unit_vectors(self, rows: Tensor, t: int) -> Tensor:
        """The u_b of iteration t, float32 [M, B_t, d]."""
        count = self._evaluations(t)
        purpose = ("hop_skip_jump", self.seed, t)
        if self.spec.norm == "l2":
            u = noise.normal(self.indices[rows], count * self.d, *purpose)
        else:
            u = 2 * noise.uniform(self.indices[rows], count * self.d, *purpose) - 1
        u = u.reshape(-1, count, self.d)
        unit: Tensor = u / u.norm(dim=2, keepdim=True)
        return unit

    def _step(self, rows: Tensor, direction: Tensor, t: int) -> None:
        """Geometric progression of the step: halve xi until the point is adversarial."""
        xi = (self._length(rows) / sqrt(t)).float()
        origin = self.points[rows]
        going = torch.arange(len(rows), device=rows.device)
        for _ in range(ceil(log2(1 / self.theta))):
            going = going[self._left(rows[going]) >= 1]
            if len(going) == 0:
                return
            trial = (origin[going] + xi[going, None, None, None] * direction[going]).clamp_(0, 1)
            broken = self._adversarial(rows[going], trial)
            self.points[rows[going[broken]]] = trial[broken]
            going = going[~broken]
            xi[going] /= 2

    def _adversarial(self, rows: Tensor, points: Tensor) -> Tensor:
        """Phi = 1: bool [M], one query each."""
        return self.objective.take(rows).reached_by(self.questions.labels(rows, points))

    def _length(self, rows: Tensor) -> Tensor:
        """|x~ - x*|_p, float64 [M]."""
        change = (self.points[rows].double() - self.images[rows].double()).flatten(1)
        return change.norm(dim=1) if self.spec.norm == "l2" else change.abs().amax(1)

    def _left(self, rows: Tensor) -> Tensor:
        """How many queries these images still have, int64 [M]."""
        if self.spec.query_budget is None:
            return torch.full_like(rows, 2**62)
        return self.spec.query_budget - self.questions.queries[rows]

    def _evaluations(self, t: int) -> int:
        """B_t."""
        return min(int(self.spec.evaluations * sqrt(t)), self.spec.max_evaluations)
