"""NASNet: a controller that learns from children which are trained one by one.

Zoph et al., "Learning Transferable Architectures for Scalable Image Recognition", CVPR 2018. The search was never
released; what is here follows the paper, from memory: an LSTM of one layer of 100 decides source by source and op by
op; 20 children make an update of PPO, whose advantage is the accuracy on held-out images less an exponential mean of
it, and whose objective has a little of the entropy.

Deviations: the two sources of a node differ and are always added up (the paper chooses between a sum and a
concatenation); all sources share one softmax and all ops another; the reward is the accuracy after the last epoch,
not the cube of the highest of the last five; PPO's clip and passes are those of Schulman et al. 2017; the best child
by its reward is trained anew, not the best 250.
"""

import torch
from torch import Tensor

from nasaudit.randomness import derive_seed
from nasaudit.search.base import Rounds, SampledSearch
from nasaudit.search.cells import cells_of
from nasaudit.search.controllers import Controller, Decisions, clipped
from nasaudit.search.sampled import Ledger, accuracy
from nasaudit.spec.searches import NasNetSpec


class NasNetController(Controller):
    """See the module."""

    def __init__(self, spec: NasNetSpec, generator: torch.Generator):
        super().__init__(spec.space, spec.controller_size, generator)
        size, sources = spec.controller_size, spec.space.inputs + spec.space.nodes - 1
        self.source_embeddings = self._uniform(sources, size)
        self.source_weights = self._uniform(size, sources)
        self.op_weights = self._uniform(size, len(self.ops))

    def decisions(self) -> Decisions:  # noqa: D102
        space, state = self.space, (self.zeros(), self.zeros())
        read: Tensor = self.start
        nodes = {}
        for kind in space.kinds:
            cell = []
            for node in range(space.inputs, space.inputs + space.nodes):
                sources = list(range(node)) if space.edges is None else list[int]()
                for _ in range(space.edges or 0):
                    state = self.step(read, state)
                    left = [source for source in range(node) if source not in sources]
                    sources.append(left[(yield (state[1] @ self.source_weights)[left])])
                    read = self.source_embeddings[sources[-1]]
                ops = []
                for _ in sources:
                    state = self.step(read, state)
                    ops.append((yield state[1] @ self.op_weights))
                    read = self.op_embeddings[ops[-1]]
                cell.append(self.edges(ops, sources))
            nodes[kind] = cell
        return nodes


class NasNet(SampledSearch[NasNetSpec]):
    """See the module."""

    def rounds(self, seed: int) -> Rounds:  # noqa: D102
        spec, ledger = self.spec, Ledger(self)
        generator = torch.Generator().manual_seed(derive_seed("nasnet controller", seed))
        controller = NasNetController(spec, generator)
        optimizer = torch.optim.Adam(controller.parameters(), spec.controller_learning_rate)
        baseline: float | None = None
        while ledger.children < spec.children:
            with torch.no_grad():
                walks = [
                    controller.sample(generator)
                    for _ in range(min(spec.batch, spec.children - ledger.children))
                ]
            children = yield [cells_of(spec.space, walk.nodes) for walk in walks]
            ledger.add(children, entropy=sum(float(walk.entropy) for walk in walks) / len(walks))
            rewarded = [
                (walk, reward)
                for walk, child in zip(walks, children, strict=True)
                if (reward := accuracy(child)) is not None
            ]
            if not rewarded:
                continue
            mean = sum(reward for _, reward in rewarded) / len(rewarded)
            if baseline is None:
                baseline = mean
            for _ in range(spec.passes):
                optimizer.zero_grad(set_to_none=True)
                for walk, reward in rewarded:
                    now = controller.score(walk.choices)
                    loss = clipped(now.log_prob, float(walk.log_prob), reward - baseline, spec.clip)
                    loss = loss - spec.entropy_weight * now.entropy
                    (loss / len(rewarded)).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            baseline = spec.baseline_decay * baseline + (1 - spec.baseline_decay) * mean
        return ledger.found(seed)
