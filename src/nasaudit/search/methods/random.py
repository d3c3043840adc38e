"""Random search: the best of some children drawn at random, or of several objectives their front.

Li and Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019; the budget is that of
Liu et al. 2019 (24 cells of 100 epochs, from memory). A budget of one child is one random cell, whatever it reaches.
"""

from random import Random

from nasaudit.randomness import derive_seed
from nasaudit.search.base import Rounds, SampledSearch
from nasaudit.search.constrained import draw_within
from nasaudit.search.sampled import Ledger, round_size
from nasaudit.spec.searches import RandomSearchSpec


class RandomSearch(SampledSearch[RandomSearchSpec]):
    """All children are asked about at once."""

    def rounds(self, seed: int) -> Rounds:  # noqa: D102
        spec, random, ledger = self.spec, Random(derive_seed("random search", seed)), Ledger(self)
        children = yield [draw_within(spec.space, spec.constraints, random) for _ in range(spec.children)]
        size = round_size(len(children))
        for first in range(0, len(children), size):
            ledger.add(children[first : first + size])
        return ledger.found(seed)
