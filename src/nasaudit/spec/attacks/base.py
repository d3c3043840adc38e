"""What can be said of any attack before it runs: its family, its access, and where its code is. No torch.

Each class names its implementation as `module:Class`, which is imported when the attack runs, so that
listing or validating attacks imports no torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

from nasaudit.registry import Registry
from nasaudit.spec.base import Spec
from nasaudit.spec.data import Role

Family = Literal["evasion", "poisoning", "backdoor", "extraction", "membership"]
FAMILIES: tuple[Family, ...] = ("evasion", "poisoning", "backdoor", "extraction", "membership")
ThreatModel = Literal["white_box", "score_based", "label_based", "transfer"]


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


class AttackSpec(Spec):
    """Root of the attacks' specs."""

    family: ClassVar[Family]
    threat_model: ClassVar[ThreatModel]
    implementation: ClassVar[str]  # "module:Class"
    summary: ClassVar[str]

    name: str

    def label(self) -> str:
        """What a person reads beside the progress bar."""
        return self.name

    def told(self, field: str) -> str:
        """What the rows of a study say of a field in which its attacks differ."""
        value = self.model_dump(mode="json")[field]
        return "+".join(f"{item:.4g}" for item in value) if isinstance(value, list) else str(value)

    def check(self, facts: DataFacts) -> None:
        """Refuse what this data cannot give, before anything is trained.

        Raises:
            SpecError: the field is relative to this spec; the caller adds where the spec stands.
        """


ATTACKS: Registry[type[AttackSpec]] = Registry("attack", "nasaudit.attacks", type)
