"""What an evasion attack is called, and which of its figures sentences quote."""

from collections.abc import Mapping

from nasaudit.report.evidence import Evidence
from nasaudit.report.sections.families.attack import MeasuredAttack
from nasaudit.spec.attacks import ATTACKS

# The epsilon that the field quotes most; another of the grid stands in where it was not measured.
QUOTED: Mapping[str, str] = {"linf": "8/255", "l2": "0.5"}
DENOMINATORS: Mapping[str, str] = {
    "common": "of the images that every model classifies correctly",
    "correct": "of the images that it classifies correctly",
    "all": "of all attacked images",
}
GOALS: Mapping[str, str] = {
    "untargeted": "any wrong class",
    "least_likely": "the class the model holds least likely",
    "second_likely": "the class the model holds second most likely",
    "targeted": "one chosen class",
}
ACCESS: Mapping[str, str] = {
    "white_box": "knows the model's weights (white box)",
    "score_based": "sees the model's scores",
    "label_based": "sees only the predicted label",
    "transfer": "has a similar model",
}
SEES: Mapping[str, str] = {
    "white_box": "the weights",
    "score_based": "the scores",
    "label_based": "the label",
    "transfer": "a model of its own",
}


class Threat(MeasuredAttack):
    """One attack as it was run: the rows of one security curve. Its identity: norm, goal, and what else tells it."""

    family = "evasion"
    metric = "asr"
    varying = frozenset({"epsilon", "images", "within_steps", "within_queries"})

    @property
    def norm(self) -> str:
        """E.g. `linf`."""
        return self.setting.get("norm", "")

    @property
    def goal(self) -> str:
        """E.g. `untargeted`."""
        return self.setting.get("goal", "")

    @property
    def aim(self) -> str:
        """The goal in words."""
        return GOALS.get(self.goal, self.goal)

    @property
    def title(self) -> str:
        """E.g. `PGD, linf, any wrong class`."""
        others = [f"{key} {text}" for key, text in self.identity if key not in ("norm", "goal")]
        return ", ".join([attack_title(self.attack), self.norm, self.aim, *others])

    @property
    def sees(self) -> str:
        """What of the victim the attack needs, in a column's few words."""
        return SEES[ATTACKS[self.attack].threat_model] if self.attack in ATTACKS else ""

    @property
    def access(self) -> str:
        """The same as a clause after "who"."""
        known = self.attack in ATTACKS
        return ACCESS[ATTACKS[self.attack].threat_model] if known else f"uses {attack_title(self.attack)}"

    def change(self, epsilon: str) -> str:
        """What this epsilon lets the attacker do, as a clause after "who"."""
        if self.norm == "linf":
            return f"may change each pixel by {epsilon}"
        return f"may change the image by a length ({self.norm}) of {epsilon}"

    def epsilons(self, evidence: Evidence) -> list[str]:
        """The epsilons of the curve, ascending, as the rows write them."""
        return self.values(evidence, "epsilon")

    def quoted_epsilon(self, evidence: Evidence) -> str:
        """The epsilon that sentences quote."""
        grid = self.epsilons(evidence)
        quoted = QUOTED.get(self.norm, "")
        return quoted if quoted in grid else grid[len(grid) // 2]

    def denominators(self, evidence: Evidence) -> list[str]:
        """Which images the rows count, the fairest for a comparison first."""
        found = {
            row.setting.get("images", "")
            for row in evidence.of_family(self.family)
            if row.metric == self.metric and self.of(row) == self
        }
        return [images for images in DENOMINATORS if images in found] + sorted(found - set(DENOMINATORS))


def main_threat(evidence: Evidence) -> Threat | None:
    """The threat that verdicts quote: untargeted and linf where that was measured, and PGD rather than others."""
    return max(
        Threat.measured(evidence),
        key=lambda threat: (threat.goal == "untargeted", threat.norm == "linf", threat.attack == "pgd"),
        default=None,
    )


def attack_title(attack: str) -> str:
    """The name as it is written in prose: an acronym in capitals, a longer name in words."""
    return attack.upper() if len(attack) <= 5 else attack.replace("_", " ")
