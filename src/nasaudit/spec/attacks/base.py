"""What can be said of any attack before it runs: its family, its access, and where its code is. No torch.

Each class names its implementation as `module:Class`, which is imported when the attack runs, so that
listing or validating attacks imports no torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple, Self

from nasaudit.registry import Registry
from nasaudit.spec.data import Role
from nasaudit.spec.named import NamedSpec

Family = Literal["evasion", "poisoning", "backdoor", "extraction", "membership"]
SAME = "same"  # a model of the attacker's own has the victim's architecture
ThreatModel = Literal["white_box", "score_based", "label_based", "transfer"]


class Listed(NamedTuple):
    """An entry of a public list of threats, as the list writes it: `AML.T0043`, `Craft Adversarial Data`."""

    id: str
    name: str


class FamilyWords(NamedTuple):
    """What is said of a family whatever a study found.

    Attributes:
        title: as it stands in a heading or a sentence.
        verb: what its attackers do, as in "easier to evade".
        atlas: its techniques in `ATLAS`.
        owasp: its risk in `OWASP`.
    """

    title: str
    verb: str
    atlas: tuple[Listed, ...]
    owasp: Listed


class ThreatWords(NamedTuple):
    """What an attacker has of the victim: as a clause after "who", and in a column's few words."""

    access: str
    sees: str


# Ids and names are those of dist/ATLAS.yaml of this release, and of the titles of the pages of that year.
ATLAS, OWASP = "MITRE ATLAS 5.6.0", "OWASP Machine Learning Security Top Ten 2023"
FAMILIES: Mapping[Family, FamilyWords] = {
    "evasion": FamilyWords(
        "evasion",
        "evade",
        (Listed("AML.T0043", "Craft Adversarial Data"), Listed("AML.T0015", "Evade AI Model")),
        Listed("ML01:2023", "Input Manipulation Attack"),
    ),
    "poisoning": FamilyWords(
        "poisoning",
        "poison",
        (Listed("AML.T0020", "Poison Training Data"),),
        Listed("ML02:2023", "Data Poisoning Attack"),
    ),
    "backdoor": FamilyWords(
        "backdoors",
        "backdoor",
        (
            Listed("AML.T0018.000", "Manipulate AI Model: Poison AI Model"),
            Listed("AML.T0043.004", "Craft Adversarial Data: Insert Backdoor Trigger"),
        ),
        Listed("ML10:2023", "Model Poisoning"),
    ),
    "extraction": FamilyWords(
        "extraction",
        "steal",
        (Listed("AML.T0024.002", "Exfiltration via AI Inference API: Extract AI Model"),),
        Listed("ML05:2023", "Model Theft"),
    ),
    "membership": FamilyWords(
        "membership inference",
        "infer members from",
        (Listed("AML.T0024.000", "Exfiltration via AI Inference API: Infer Training Data Membership"),),
        Listed("ML04:2023", "Membership Inference Attack"),
    ),
}
THREAT_MODELS: Mapping[ThreatModel, ThreatWords] = {
    "white_box": ThreatWords("knows the model's weights (white box)", "the weights"),
    "score_based": ThreatWords("sees the model's scores", "the scores"),
    "label_based": ThreatWords("sees only the predicted label", "the label"),
    "transfer": ThreatWords("has a similar model", "a model of its own"),
}


@dataclass(frozen=True)
class DataFacts:
    """What an attack's wishes are checked against before anything is trained.

    Attributes:
        classes: of the data.
        shape: (channels, height, width) of an image.
        count: counts the images of each role; it may read the data, so it is called only when asked for.
    """

    classes: int
    shape: tuple[int, int, int]
    count: Callable[[], Mapping[Role, int]]

    @cached_property
    def sizes(self) -> Mapping[Role, int]:
        """How many images each role has."""
        return self.count()


class AttackSpec(NamedSpec):
    """Root of the attacks' specs; `implementation` is a class that is made of the spec."""

    family: ClassVar[Family]
    threat_model: ClassVar[ThreatModel]
    expected_epochs: ClassVar[float] = 3.0
    needs_split: ClassVar[bool] = True  # it must be known which images the victim was trained on

    @property
    def made_on(self) -> str | None:
        """The architecture of a model of the attacker's own that it is made on, None where it needs no such model.

        `same` is the victim's architecture; another name is one for all victims.
        """
        return None

    @property
    def needs_recipe(self) -> bool:
        """Whether a victim is trained anew, or models like it: so the recipe must be known that it was trained by."""
        return True

    def strongest(self) -> Self:
        """The attack for a quick look: the strongest of its settings alone, where a sweep is dear."""
        return self

    def label(self) -> str:
        """What a person reads beside the progress bar."""
        return self.name

    def told(self, field: str) -> str:
        """What the rows of a study say of a field in which its attacks differ."""
        # A field that is left out of the digest has its default.
        value = self.model_dump(mode="json").get(field, getattr(self, field))
        return "+".join(f"{item:.4g}" for item in value) if isinstance(value, list) else str(value)

    def check(self, facts: DataFacts) -> None:
        """Refuse what this data cannot give, before anything is trained.

        Raises:
            SpecError: the field is relative to this spec; the caller adds where the spec stands.
        """


ATTACKS: Registry[type[AttackSpec]] = Registry("attack", "nasaudit.attacks", plugin_base=AttackSpec)


def attack_title(name: str) -> str:
    """The name of an attack as it is written in prose, also of one that is not registered here.

    >>> attack_title("pgd"), attack_title("of_another_machine")
    ('PGD', 'of another machine')
    """
    return ATTACKS[name].title if name in ATTACKS else name.replace("_", " ")
