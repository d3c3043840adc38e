"""Square attack: random search over squares.

Andriushchenko, Croce, Flammarion and Hein, "Square Attack: A Query-Efficient Black-Box Adversarial Attack via
Random Search", ECCV 2020. Access: score-based black box.

Networks are sensitive to square changes, and the worst change of an image lies in a corner of the ball. So
start from a corner and try one random square after another, keeping those that lower the loss (algorithm 1):

    x~ = Pi( x^ + delta ),  delta ~ P(epsilon, h, x^, x);      x^ = x~  if L(f(x~), y) < L(f(x^), y)

The loss is the margin f_y - max_{k != y} f_k, or for a class to reach the cross-entropy. A square has h =
sqrt(p w^2) pixels a side. The share p starts at the paper's .05 (linf) or .1 (l2) and is halved after 10, 50, 200,
500, 1000, 2000, 4000, 6000 and 8000 of 10,000 queries, as in the authors' code; other budgets scale these numbers,
unless `schedule_queries` says otherwise (AutoAttack does not scale them).

linf (algorithm 2): starts from vertical stripes of +-epsilon, in each channel its own; a square sets all its
pixels of a channel to +epsilon or to -epsilon.
l2 (algorithm 3): starts from a grid of tiles; moves the length of the change in one window W_2, and what is
left of epsilon, to another window W_1, where it takes the form of eta (their equation 2): two bumps side by
side of opposite sign, each the sum of shrinking rectangles around its centre. Windows are odd, at least 3 pixels a
side.

Deviations: every image has its own squares (the authors' l2 code shares them); a square lies anywhere, the
last row and column included, which the authors' code never reaches; in linf, a proposal that would change
nothing has all its signs turned round (their code draws them anew, which for one channel is the same). The
cross-entropy is replaced by the log odds, which order all points alike.
"""

from contextlib import suppress
from math import sqrt
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import pad

from nasaudit.attacks.evasion import noise
from nasaudit.attacks.evasion.ball import Ball
from nasaudit.attacks.evasion.base import Attempt, EvasionAttack, Perturbed
from nasaudit.attacks.evasion.black_box.queries import Questions
from nasaudit.attacks.evasion.objective import margin
from nasaudit.errors import QueryBudgetError
from nasaudit.spec.attacks import SquareSpec
from nasaudit.victim.oracle import Oracle

# p is halved after these many of 10,000 queries.
HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
TILES = 5  # a side of the grid that l2 starts from


@final
class Square(EvasionAttack[Oracle]):
    """Random search within the ball. `steps` counts the proposals after the start."""

    spec: SquareSpec

    def _perturb(self, victim: Oracle, attempt: Attempt, epsilon: float) -> Perturbed:
        """When the oracle's budget is used up the attack ends, and returns what it has."""
        questions = Questions(victim, len(attempt.images), self.batch_size, attempt.progress)
        outcome = Perturbed.begin(attempt.images, questions.queries)
        ball = Ball.around(attempt.images, self.spec.norm, epsilon)
        lowest = torch.full((len(outcome.images),), torch.inf, device=outcome.images.device)
        live = torch.arange(len(outcome.images), device=outcome.images.device)
        # Without room to move, one look at the image says all.
        queries = self.spec.queries if ball.epsilon > 0 else 1
        with suppress(QueryBudgetError):
            for query in range(queries):
                questions.done = query / queries
                for rows in torch.split(live, questions.batch_size):
                    objective = attempt.objective.take(rows)
                    proposal = self._propose(
                        ball.take(rows), outcome.images[rows], query, attempt.indices[rows], attempt.seed
                    )
                    logits = questions.logits(rows, proposal)
                    # L, to be lowered
                    loss = -objective.loss(logits) if objective.targeted else -margin(objective, logits)
                    broken = objective.reached(logits)
                    better = broken | (loss < lowest[rows])
                    outcome.images[rows[better]] = proposal[better]
                    lowest[rows[better]] = loss[better]
                    outcome.steps[rows[broken]] = query
                live = live[outcome.steps[live] < 0]
                if len(live) == 0:
                    break
        return outcome

    def _propose(self, ball: Ball, current: Tensor, query: int, indices: Tensor, seed: int) -> Tensor:
        """The start, or the current points changed within a square."""
        channels, height, width = current.shape[1:]
        linf = ball.norm == "linf"
        if query == 0:
            count = channels * width if linf else channels * TILES**2 + TILES**2
            draws = noise.uniform(indices, count, "square", seed, query)
            return _stripes(ball, draws) if linf else _tiles(ball, draws)
        spec = self.spec
        share = share_of_pixels(spec.first_share, query - 1, spec.schedule_queries or spec.queries)
        draws = noise.uniform(indices, channels + (2 if linf else 5), "square", seed, query)
        if linf:
            return _square(ball, current, side_of_square(share, height, width), draws)
        return _bump(ball, current, side_of_window(share, height, width), draws)


def share_of_pixels(p_init: float, proposal: int, queries: int) -> float:
    """The share p of an image's pixels in the square of proposal 0, 1, ...."""
    scaled = int(proposal / queries * 10_000)
    return p_init / (1 << sum(scaled > turn for turn in HALVINGS))


def side_of_square(share: float, height: int, width: int) -> int:
    """The side h, the nearest whole number of pixels, at least 1 and at most the shorter side."""
    return min(max(1, round(sqrt(share * height * width))), height, width)


def side_of_window(share: float, height: int, width: int) -> int:
    """The side of W_1 and W_2: `side_of_square`, but odd and at least 3, as far as the image is large enough."""
    largest = min(height, width)
    side = max(3, side_of_square(share, height, width)) | 1  # the next odd number
    return side if side <= largest else largest - (largest % 2 == 0)


def _stripes(ball: Ball, draws: Tensor) -> Tensor:
    """Vertical stripes of +-epsilon from draws [M, C * W]."""
    images, channels, _, width = ball.images.shape
    return torch.where(draws.reshape(images, channels, 1, width) < 0.5, ball.upper, ball.lower)


def _square(ball: Ball, current: Tensor, side: int, draws: Tensor) -> Tensor:
    """A square of +-epsilon, from draws [M, 2 + C]: its place, and the sign in each channel."""
    inside, _, _ = _window(draws[:, :2], side, current.shape)
    up = (draws[:, 2:] < 0.5)[:, :, None, None]
    corner = torch.where(up, ball.upper, ball.lower)
    same = torch.where(inside, corner == current, True).flatten(1).all(1)
    corner = torch.where(up ^ same[:, None, None, None], ball.upper, ball.lower)
    return torch.where(inside, corner, current)


def _window(draws: Tensor, side: int, shape: torch.Size) -> tuple[Tensor, Tensor, Tensor]:
    """A square drawn from [M, 2]: bool [M, 1, H, W], and rows [M, H] and columns [M, W] seen from its corner."""
    _, _, height, width = shape
    top = (draws[:, :1] * (height - side + 1)).long()
    left = (draws[:, 1:] * (width - side + 1)).long()
    rows = torch.arange(height, device=draws.device) - top
    columns = torch.arange(width, device=draws.device) - left
    tall, wide = (rows >= 0) & (rows < side), (columns >= 0) & (columns < side)
    return (tall[:, :, None] & wide[:, None, :])[:, None], rows, columns


def _bump(ball: Ball, current: Tensor, side: int, draws: Tensor) -> Tensor:
    """One step of algorithm 3 from draws [M, 5 + C]: W_1, W_2, whether eta lies on its side, the signs rho."""
    first, rows, columns = _window(draws[:, 0:2], side, current.shape)
    second, _, _ = _window(draws[:, 2:4], side, current.shape)
    turned = draws[:, 4, None, None, None] < 0.5
    rho = torch.where(draws[:, 5:] < 0.5, 1.0, -1.0)[:, :, None, None]
    # A look-up of eta at each pixel's place in W_1; what lies outside of the window is masked below.
    row, column = rows.clamp(0, side - 1)[:, :, None], columns.clamp(0, side - 1)[:, None, :]
    form = eta(side).to(current.device)
    pattern = torch.where(turned, form.T[row, column][:, None], form[row, column][:, None])

    nu = current - ball.images
    unused = (ball.epsilon**2 - nu.square().sum((1, 2, 3), keepdim=True)).clamp_min(0)
    within = torch.where(first, nu, 0)
    mixed = torch.where(first, rho * pattern + within / _length(within), 0)
    available = (torch.where(first | second, nu, 0).square().sum((2, 3), keepdim=True)
                 + unused / nu.shape[1]).sqrt()  # fmt: skip
    nu = torch.where(second, 0, nu)
    nu = torch.where(first, mixed / _length(mixed) * available, nu)
    return ball.project(ball.images + nu)


def _length(change: Tensor) -> Tensor:
    """The l2 norm of each channel, float32 [M, C, 1, 1]; never 0."""
    return change.square().sum((2, 3), keepdim=True).sqrt().clamp_min(1e-10)


def _tiles(ball: Ball, draws: Tensor) -> Tensor:
    """5 x 5 bumps of length epsilon in all, from draws [M, (C + 1) * 25]: which way they lie, their signs."""
    images, channels, height, width = ball.images.shape
    side = max(1, min(height, width) // TILES)
    tiles = min(TILES, height, width)
    form = eta(side).to(draws.device)

    def spread(bits: Tensor) -> Tensor:  # [M, *, TILES, TILES] -> [M, *, tiles * side, tiles * side]
        return bits[..., :tiles, :tiles].repeat_interleave(side, -1).repeat_interleave(side, -2)

    bits = (draws < 0.5).reshape(images, channels + 1, TILES, TILES)
    pattern = torch.where(spread(bits[:, :1]), form.T.repeat(tiles, tiles), form.repeat(tiles, tiles))
    pattern = torch.where(spread(bits[:, 1:]), pattern, -pattern)
    top, left = (height - tiles * side) // 2, (width - tiles * side) // 2
    pattern = pad(pattern, (left, width - tiles * side - left, top, height - tiles * side - top))
    length = pattern.flatten(1).norm(dim=1)[:, None, None, None]
    return ball.project(ball.images + ball.epsilon * pattern / length)


def eta(side: int) -> Tensor:
    """Eta of equation 2 for a square window, float32 [side, side] of length 1: an upper and a lower bump."""
    upper = side // 2
    form = torch.cat([_rectangles(upper, side), -_rectangles(side - upper, side)])
    unit: Tensor = form / form.norm()
    return unit


def _rectangles(height: int, width: int) -> Tensor:
    """Sum of 1/k^2 over the rectangles k = 1 (the centre), 2, ... that hold a pixel, of length 1."""
    rows, columns = torch.arange(height) - height // 2, torch.arange(width) - width // 2
    ring = torch.maximum(rows.abs()[:, None], columns.abs()[None, :])
    largest = max(height, width) // 2
    weights = 1 / torch.arange(1, largest + 2).float().square()
    # A pixel of ring D lies in the rectangles D + 1, ..., largest + 1.
    tails = weights.flip(0).cumsum(0).flip(0)
    form = tails[ring]
    unit: Tensor = form / form.norm().clamp_min(1e-10)
    return unit
