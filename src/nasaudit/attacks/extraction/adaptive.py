"""Knockoff Nets, strategy `adaptive`.

Orekondy, Schiele and Fritz, "Knockoff Nets: Stealing Functionality of Black-Box Models", CVPR 2019, section 4.1.2.
Access: black box; probabilities. The thief's images carry labels of its own, which need not be the victim's classes.

A policy pi learns which of these labels z are worth asking about. The labels are the leaves of a tree whose upper
level holds groups of similar ones; an action walks down from the root, taking child z of a node with probability
    pi_t(z) = exp H_t(z) / sum_z' exp H_t(z')
The images of the leaf are asked about, and the answers y give rewards:
    certainty  P(y_k1) - P(y_k2)                      the margin of the victim's two most probable classes
    diversity  sum_k max(0, y_k - ybar_k)             ybar: the mean answer to the past Delta actions
    loss       1 - exp(-L(y, F_A(x)))                 L: cross entropy of the surrogate before it learns from them
Each is within [0,1]; it is compared with its mean over the past Delta actions, and the advantages are added up:
r - rbar. The gradient bandit (Sutton and Barto, "Reinforcement Learning", 2nd ed., section 2.8), which is REINFORCE
without states, climbs on the expected reward, at every node of the walk:
    H(z)  += alpha (r - rbar) (1 - pi(z))     z the child that was taken
    H(z') -= alpha (r - rbar) pi(z')          its siblings
with alpha = 1 / N(z), N(z) the number of times that z has been taken. The surrogate that the loss is measured on
learns along. The one that is kept is trained afresh on all answers.

Deviations: an action asks about `images_per_action` images, as the mean of their rewards is steadier. Images are
taken without replacement, as a victim that answers alike teaches nothing when asked twice; a leaf whose images are
used up is left out of the walk. The tree has two levels, from Ward's clustering of the labels' mean images, where
the paper has hierarchies of words or clusters of features; it begins with every label as probable, so that a group
of one label is not asked about as often as one of six. The paper rescales each reward to [0,1]; here certainty and
diversity, which are there already, stay as they are, and 1 - exp(-L) brings the loss there. (Scaling by the extremes
seen so far makes a full reward of a difference of .01, and the policy jumps.)
"""

import copy
import math
from collections import deque
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from scipy.cluster.hierarchy import fcluster, ward
from torch import Tensor
from torch.nn import functional as F

from nasaudit.arch.network import Network
from nasaudit.attacks.extraction.base import FEWEST_TO_TRAIN_ON, ExtractionAttack, TransferSet, ask
from nasaudit.data.split import Split
from nasaudit.measure.estimate import FloatArray
from nasaudit.progress import Progress, silent
from nasaudit.randomness import derive_seed
from nasaudit.spec.attacks import AdaptiveKnockoffSpec
from nasaudit.spec.attacks.extraction import Reward
from nasaudit.spec.training import TrainingSpec
from nasaudit.training.evaluate import predict
from nasaudit.training.loop import fit
from nasaudit.victim.oracle import Oracle

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@final
class AdaptiveKnockoff(ExtractionAttack):
    """Queries that a policy chooses from the answers to earlier ones."""

    spec: AdaptiveKnockoffSpec

    def query(
        self,
        oracle: Oracle,
        pool: Split,
        budget: int,
        surrogate: Network,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> TransferSet:
        """See `ExtractionAttack.query`."""
        rng = np.random.default_rng(derive_seed("adaptive knockoff", seed))
        leaves = [rng.permutation(np.flatnonzero(pool.labels == label)) for label in np.unique(pool.labels)]
        policy = TreePolicy(group_labels(pool, self.spec.groups))
        baselines = {reward: Baseline(self.spec.window) for reward in self.spec.rewards}
        recent: deque[Tensor] = deque(maxlen=self.spec.window)
        online = copy.deepcopy(surrogate).to(oracle.device).eval()
        # Plain SGD on an action's images.
        one_step = TrainingSpec(
            epochs=1,
            batch_size=self.spec.images_per_action,
            optimizer="sgd",
            learning_rate=self.spec.online_learning_rate,
            momentum=0.0,
            weight_decay=0.0,
            crop=0,
        )
        asked = [ask(oracle, pool, torch.arange(0))]
        used = np.zeros(len(leaves), dtype=np.int64)
        left = budget
        while left > 0:
            progress(1 - left / budget)
            has_images = used < [len(leaf) for leaf in leaves]
            walk = policy.sample(has_images, rng)
            leaf = leaves[walk[1]][used[walk[1]] :][: min(self.spec.images_per_action, left)]
            transfer = ask(oracle, pool, torch.from_numpy(leaf))
            asked.append(transfer)
            if len(transfer) < len(leaf):
                break  # the oracle's own budget was smaller
            used[walk[1]] += len(leaf)
            left -= len(leaf)
            answers = transfer.answers
            if answers.ndim == 1:  # hard ones: all probability on the class
                answers = F.one_hot(answers, oracle.classes).float()
            chosen = pool.take(transfer.positions)
            logits = predict(online, chosen, str(oracle.device))
            values = rewards(answers, list(recent), logits)
            recent.append(answers.mean(0))
            advantage = sum(baselines[name].advantage(values[name]) for name in self.spec.rewards)
            policy.update(walk, advantage, has_images)
            if "loss" in self.spec.rewards and len(transfer) >= FEWEST_TO_TRAIN_ON:
                step = derive_seed("online", seed, len(asked))
                fit(online, chosen, one_step, step, targets=answers, device=str(oracle.device))
        return TransferSet(
            torch.cat([each.positions for each in asked]),
            torch.cat([each.answers for each in asked]),
        )


class TreePolicy:
    """A softmax at every node of a tree of two levels: root -> group -> label.

    Args:
        group: int [labels], the group of each label, from 0.
    """

    def __init__(self, group: Ints):
        self.group = group
        sizes = np.bincount(group)
        # H and N of the root's children, and of the groups' children. At first every label is as probable.
        self.preference: tuple[FloatArray, FloatArray] = (np.log(sizes), np.zeros(len(group)))
        self.taken: tuple[Ints, Ints] = (np.zeros(len(sizes), np.int64), np.zeros(len(group), np.int64))

    def probabilities(self, open_labels: Bools) -> tuple[FloatArray, FloatArray]:
        """Of each group, and of each label within its group; 0 for what has no images left."""
        open_groups = np.bincount(self.group, weights=open_labels, minlength=len(self.preference[0])) > 0
        groups = _softmax(self.preference[0], open_groups)
        labels = np.zeros(len(self.group))
        for group in np.flatnonzero(open_groups):
            inside = self.group == group
            labels[inside] = _softmax(self.preference[1][inside], open_labels[inside])
        return groups, labels

    def sample(self, open_labels: Bools, rng: np.random.Generator) -> tuple[int, int]:
        """A walk from the root: (group, label).

        Args:
            open_labels: bool [labels], which have images left; at least one.
            rng: decides.
        """
        groups, labels = self.probabilities(open_labels)
        group = int(rng.choice(len(groups), p=groups))
        inside = np.flatnonzero(self.group == group)
        return group, int(rng.choice(inside, p=labels[inside]))

    def update(self, walk: tuple[int, int], advantage: float, open_labels: Bools) -> None:
        """One step of the gradient bandit at both nodes of the walk.

        Args:
            walk: as `sample` gave it.
            advantage: r - rbar.
            open_labels: as `sample` was given them.
        """
        pi = self.probabilities(open_labels)
        siblings = (np.ones_like(pi[0], dtype=bool), self.group == walk[0])
        for level, child in enumerate(walk):
            self.taken[level][child] += 1
            step = advantage / self.taken[level][child]
            gradient = -pi[level]
            gradient[child] += 1
            self.preference[level][siblings[level]] += step * gradient[siblings[level]]


class Baseline:
    """One kind of reward over the past `window` actions."""

    def __init__(self, window: int):
        self._past: deque[float] = deque(maxlen=window)

    def advantage(self, reward: float) -> float:
        """How much better than usual, in [-1, 1]: the reward minus the mean of the past ones; 0 at first."""
        usual = float(np.mean(self._past)) if self._past else reward
        self._past.append(reward)
        return reward - usual


def rewards(answers: Tensor, recent: list[Tensor], surrogate_logits: Tensor) -> dict[Reward, float]:
    """The paper's three rewards, each of the mean over an action's images, in [0,1].

    Args:
        answers: y, float [n, classes], probabilities.
        recent: the mean answers [classes] of the past Delta actions.
        surrogate_logits: float [n, classes], of F_A on the same images.
    """
    top = answers.topk(2, dim=1).values
    usual = torch.stack(recent).mean(0) if recent else answers.mean(0)
    return {
        "certainty": float((top[:, 0] - top[:, 1]).mean()),
        "diversity": float((answers - usual).clamp_min(0).sum(1).mean()),
        "loss": 1 - math.exp(-float(F.cross_entropy(surrogate_logits, answers))),
    }


def group_labels(pool: Split, groups: int | None) -> Ints:
    """Similar labels share a group: Ward's clustering of their mean images.

    Args:
        pool: its labels that occur, ascending, are the leaves.
        groups: how many at most; None: the rounded square root of the number of labels.

    Returns:
        int64 [labels], numbered from 0.
    """
    present = np.unique(pool.labels)
    count = len(present)
    if count < 2:
        return np.zeros(count, dtype=np.int64)
    means = np.stack([pool.images[pool.labels == int(label)].double().mean(0).flatten() for label in present])
    wanted = groups or round(count**0.5)
    return np.asarray(fcluster(ward(means), wanted, criterion="maxclust") - 1, dtype=np.int64)


def _softmax(preference: FloatArray, allowed: Bools) -> FloatArray:
    weights = np.where(allowed, np.exp(preference - preference[allowed].max()), 0.0)
    return np.asarray(weights / weights.sum())
