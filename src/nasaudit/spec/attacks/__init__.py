"""What can be said of an attack before it runs. Importing this registers every attack; it imports no torch."""

from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny

from nasaudit.spec.attacks.architectural import ArchitecturalSpec
from nasaudit.spec.attacks.autoattack import AutoAttackSpec, FabSpec
from nasaudit.spec.attacks.backdoor import (
    BackdoorSpec,
    BadNetsSpec,
    BlendedSpec,
    ImcSpec,
    LatentSpec,
    PatchSpec,
    SigSpec,
    TrojanNNSpec,
    WaNetSpec,
)
from nasaudit.spec.attacks.base import (
    ATLAS,
    ATTACKS,
    FAMILIES,
    OWASP,
    THREAT_MODELS,
    AttackSpec,
    DataFacts,
    Family,
    ThreatModel,
    attack_title,
)
from nasaudit.spec.attacks.black_box import HopSkipJumpSpec, NesSpec, SquareSpec
from nasaudit.spec.attacks.evasion import EnsembleSpec
from nasaudit.spec.attacks.evasion_base import (
    L2_GRID,
    LINF_GRID,
    EvasionSpec,
    Goal,
    LossName,
    Norm,
)
from nasaudit.spec.attacks.extraction import AdaptiveKnockoffSpec, ExtractionSpec, KnockoffSpec
from nasaudit.spec.attacks.membership import (
    BoundaryDistanceSpec,
    GapSpec,
    LiraSpec,
    LossThresholdSpec,
    MembershipSpec,
    RmiaSpec,
    ShadowSpec,
)
from nasaudit.spec.attacks.minimal import DdnSpec, FmnSpec
from nasaudit.spec.attacks.poisoning import (
    GradientMatchingSpec,
    LabelFlipSpec,
    ModelPoisoningSpec,
    PoisoningSpec,
)
from nasaudit.spec.attacks.white_box import ApgdSpec, FgsmSpec, PgdSpec, TransferSpec
from nasaudit.spec.named import ByName

__all__ = [
    "ATLAS",
    "ATTACKS",
    "FAMILIES",
    "L2_GRID",
    "LINF_GRID",
    "OWASP",
    "THREAT_MODELS",
    "AdaptiveKnockoffSpec",
    "AnyAttack",
    "ApgdSpec",
    "ArchitecturalSpec",
    "AttackSpec",
    "AutoAttackSpec",
    "BackdoorSpec",
    "BadNetsSpec",
    "BlendedSpec",
    "BoundaryDistanceSpec",
    "DataFacts",
    "DdnSpec",
    "EnsembleSpec",
    "EvasionSpec",
    "ExtractionSpec",
    "FabSpec",
    "Family",
    "FgsmSpec",
    "FmnSpec",
    "GapSpec",
    "Goal",
    "GradientMatchingSpec",
    "HopSkipJumpSpec",
    "ImcSpec",
    "KnockoffSpec",
    "LabelFlipSpec",
    "LatentSpec",
    "LiraSpec",
    "LossName",
    "LossThresholdSpec",
    "MembershipSpec",
    "ModelPoisoningSpec",
    "NesSpec",
    "Norm",
    "PatchSpec",
    "PgdSpec",
    "PoisoningSpec",
    "RmiaSpec",
    "ShadowSpec",
    "SigSpec",
    "SquareSpec",
    "ThreatModel",
    "TransferSpec",
    "TrojanNNSpec",
    "WaNetSpec",
    "attack_title",
]


AnyAttack = Annotated[SerializeAsAny[AttackSpec], BeforeValidator(ByName(ATTACKS))]
