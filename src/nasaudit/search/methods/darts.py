"""DARTS: descent on a softmax over ops.

Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019. The authors' code: quark0/darts f276dd3, cnn/.
The mixture alpha minimises the held-out loss of the weights w*(alpha) that minimise the training loss. First order
takes the gradient at the weights as they are; second order at the weights after one step w' = w - xi d(w), with

    d/dalpha L_val(w', alpha) - xi d2/(dalpha dw) L_train(w, alpha) . d/dw' L_val(w', alpha)

whose product is a finite difference of two gradients (architect.py:20-91). xi is the rate of the weights' optimiser,
and d(w) has its momentum and weight decay.

Deviations: the rate follows its cosine from the first epoch on (the authors' code, run by a current torch, would skip
the first value); the mixed op is computed as `search.supernet` says.
"""

from pkgutil import resolve_name
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from nasaudit.search.cells import Cells, cells_of, strongest
from nasaudit.search.one_shot import Batch, SupernetSearch
from nasaudit.search.supernet import Mixture, everything
from nasaudit.spec.genotype import SKIP
from nasaudit.spec.searches import AlphaSpec, DartsSpec

INIT_SCALE = 1e-3  # of the normal alphas (model_search.py:123)
BETAS = (0.5, 0.999)  # of Adam on alphas (architect.py:18)
REACH = 0.01  # of the finite difference, over the norm of its direction (architect.py:76)

S = TypeVar("S", bound=AlphaSpec)


class AlphaSearch(SupernetSearch[S]):
    """Root of the methods whose mixture hangs on a number for each op of each edge, learned by Adam.

    Attributes:
        alphas: by kind of cell, [edges, primitives].
        alpha_optimizer: of them.
    """

    alphas: dict[str, nn.Parameter]
    alpha_optimizer: torch.optim.Optimizer

    def begin(self) -> None:  # noqa: D102
        space = self.spec.space
        size = (len(space.sources), len(space.primitives))
        self.alphas = {
            kind: nn.Parameter((INIT_SCALE * torch.randn(size)).to(self.problem.device))
            for kind in space.kinds
        }
        self.active = {kind: everything(space) for kind in space.kinds}
        self.alpha_optimizer = self.make_alpha_optimizer()
        self.steps = 0
        self.paid: dict[int, list[float]] = {}

    def make_alpha_optimizer(self) -> torch.optim.Optimizer:
        """Of `architecture_parameters`."""
        spec = self.spec
        return torch.optim.Adam(
            self.architecture_parameters(),
            spec.alpha_learning_rate,
            BETAS,
            weight_decay=spec.alpha_weight_decay,
        )

    def architecture_parameters(self) -> list[nn.Parameter]:
        """What the held-out loss is descended on by."""
        return list(self.alphas.values())

    def mixed(self, kind: str) -> Tensor:
        """The weights of a kind's ops before the lever on skips, [edges, primitives]."""
        return self.alphas[kind].softmax(dim=-1)

    def mixtures(self) -> dict[str, Mixture]:  # noqa: D102
        return {kind: Mixture(self.levered(self.mixed(kind)), self.active[kind]) for kind in self.alphas}

    def levered(self, weights: Tensor) -> Tensor:
        """Weights with those of skips times `skip_weight`."""
        if self.spec.skip_weight == 1 or SKIP not in self.spec.space.primitives:
            return weights
        factors = torch.ones(len(self.spec.space.primitives), device=weights.device)
        factors[self.spec.space.primitives.index(SKIP)] = self.spec.skip_weight
        return weights * factors

    def step(self, batch: Batch) -> Tensor:
        """A step of the mixture, if it is its turn, then one of the weights."""
        if not self.warming and self.steps % self.spec.inner_steps == 0:
            self.alpha_optimizer.zero_grad(set_to_none=True)
            held_out = self.held_out()
            self.architecture_gradient(batch, held_out)
            self.pay(held_out)
            self.alpha_optimizer.step()
        self.steps += 1
        return self.weights_step(batch)

    def architecture_gradient(self, batch: Batch, held_out: Batch) -> None:
        """Fill the gradients of the alphas: of the held-out loss, at the weights as they are."""
        parameters = self.architecture_parameters()
        gradients = torch.autograd.grad(self.loss(held_out), parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient

    def pay(self, batch: Batch) -> None:
        """Add to the gradients of the alphas those of the penalty, where there is one and it counts by now.

        It is taken at the weights as they are, of second order too.
        """
        penalty = self.spec.penalty
        if penalty is None or self.epoch < penalty.warmup * self.epochs:
            return
        term = self.penalty(batch)
        self.paid.setdefault(self.epoch, []).append(float(term.detach()))
        parameters = self.architecture_parameters()
        gradients = torch.autograd.grad(penalty.weight * term, parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

    def penalty(self, batch: Batch) -> Tensor:
        """The term of the penalty without its weight, under one mixture."""
        penalty, normalise, mixtures = self.spec.penalty, self.supernet.normalise, self.mixtures()
        assert penalty is not None

        def logits(standardised: Tensor) -> Tensor:
            return self.forward(standardised * normalise.std + normalise.mean, mixtures)

        self.supernet.train(penalty.batch_statistics)
        term: Tensor = resolve_name(penalty.implementation)(logits, normalise(batch[0]), batch[1], penalty)
        self.supernet.train()
        return term

    def most_kept(self, batch: Batch) -> Tensor:  # noqa: D102
        return super().most_kept(batch) if self.spec.penalty is None else self.penalty(batch)

    def said(self) -> dict[str, Any]:  # noqa: D102
        return {**super().said(), **self.said_of_penalty()}

    def said_of_penalty(self) -> dict[str, Any]:
        """What it came to in this epoch on average, None before it counts; nothing where there is none."""
        if self.spec.penalty is None:
            return {}
        paid = self.paid.get(self.epoch)
        return {"penalty": sum(paid) / len(paid) if paid else None}

    def strengths(self) -> dict[str, Tensor]:
        """What edges and ops of the derived cells are chosen by, [edges, primitives]."""
        return {kind: mixture.weights for kind, mixture in self.mixtures().items()}

    def derive(self) -> Cells:  # noqa: D102
        space = self.spec.space
        return cells_of(
            space,
            {kind: strongest(space, strength.tolist()) for kind, strength in self.strengths().items()},
        )

    def state(self) -> dict[str, Any]:  # noqa: D102
        return {
            "alphas": {kind: alpha.detach() for kind, alpha in self.alphas.items()},
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "steps": self.steps,
        }

    def restore(self, state: dict[str, Any]) -> None:  # noqa: D102
        with torch.no_grad():
            for kind, alpha in self.alphas.items():
                alpha.copy_(state["alphas"][kind])
        self.alpha_optimizer.load_state_dict(state["alpha_optimizer"])
        self.steps = state["steps"]


class Darts(AlphaSearch[DartsSpec]):
    """First and second order."""

    def architecture_gradient(self, batch: Batch, held_out: Batch) -> None:  # noqa: D102
        if self.spec.order == 1:
            super().architecture_gradient(batch, held_out)
            return
        alphas, rate = self.architecture_parameters(), self.optimizer.param_groups[0]["lr"]
        weights = dict(self.supernet.named_parameters())
        ahead = self._stepped(batch, weights, rate)
        buffers = {name: buffer.clone() for name, buffer in self.supernet.named_buffers()}
        logits = torch.func.functional_call(
            self.supernet, {**ahead, **buffers}, (held_out[0], self.mixtures())
        )
        loss = nn.functional.cross_entropy(logits, held_out[1])
        gradients = torch.autograd.grad(loss, [*alphas, *ahead.values()])
        direct, direction = gradients[: len(alphas)], gradients[len(alphas) :]
        product = self._mixed_product(batch, list(weights.values()), direction)
        for alpha, first, second in zip(alphas, direct, product, strict=True):
            alpha.grad = first - rate * second

    def _stepped(self, batch: Batch, weights: dict[str, nn.Parameter], rate: float) -> dict[str, Tensor]:
        """The weights after one step of their optimiser, leaves of a new graph."""
        gradients = torch.autograd.grad(self.loss(batch), list(weights.values()))
        ahead = {}
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True):
            descent = gradient + self.spec.weight_decay * weight.detach()
            buffer = (
                self.optimizer.state[weight].get("momentum_buffer")
                if weight in self.optimizer.state
                else None
            )
            if buffer is not None:
                descent = descent + self.spec.momentum * buffer
            ahead[name] = (weight.detach() - rate * descent).requires_grad_()
        return ahead

    def _mixed_product(
        self, batch: Batch, weights: list[nn.Parameter], direction: tuple[Tensor, ...]
    ) -> list[Tensor]:
        """d2 L_train / (dalpha dw) times a direction of w, by a central difference of gradients."""
        norm = torch.sqrt(
            sum((part.square().sum() for part in direction), torch.zeros((), device=batch[0].device))
        )
        reach = REACH / float(norm)
        gradients = []
        for move in (reach, -2 * reach):
            self._move(weights, direction, move)
            gradients.append(torch.autograd.grad(self.loss(batch), self.architecture_parameters()))
        self._move(weights, direction, reach)
        return [(above - below) / (2 * reach) for above, below in zip(*gradients, strict=True)]

    @staticmethod
    @torch.no_grad()
    def _move(weights: list[nn.Parameter], direction: tuple[Tensor, ...], by: float) -> None:
        torch._foreach_add_(cast(list[Tensor], weights), direction, alpha=by)
