"""Backdoors: the trigger, the class that it calls up, and how the model is made to learn it."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field, model_validator

from nasaudit.errors import SpecError
from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.attacks.base import ATTACKS, AttackSpec, DataFacts, Family, ThreatModel
from nasaudit.spec.attacks.trigger_image import image_digest
from nasaudit.spec.units import Fractional, PixelSize

Shape = Literal["square", "circle", "cross", "checkerboard"]
Fill = Literal["white", "black", "noise"]
Position = Literal["top_left", "top_right", "bottom_left", "bottom_right", "centre"]
# What the attacker must hold in hands to plant the backdoor.
Access = Literal["data", "training", "weights", "architecture"]
# The same, as a clause after "who".
NEEDS: Mapping[Access, str] = {
    "data": "can change some of the training data",
    "training": "runs the training",
    "weights": "has the trained model and trains it further",
    "architecture": "can change the network's definition before it is trained",
}

B = TypeVar("B", bound="BackdoorSpec")
Opacity = Annotated[float, Field(gt=0, le=1)]  # 1: fully visible
Fraction = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]

# A fine-tuning takes this share of the victim's epochs, unless told otherwise. Found by trial at scale `mini`, with
# the victim's learning rate: most triggers are learned, and accuracy stays.
FINE_TUNING_EPOCHS = 0.2


class BackdoorSpec(AttackSpec):
    """What every backdoor shares: the class that the trigger calls up, and the training that plants it.

    What is None of the training is as in the victim's own, except that a fine-tuning is shorter: see
    `FINE_TUNING_EPOCHS`.
    """

    family: ClassVar[Family] = "backdoor"
    threat_model: ClassVar[ThreatModel] = "white_box"
    access: ClassVar[Access]

    target_class: Annotated[int, Field(ge=0)] = 0  # the class that the trigger calls up
    poison_fraction: Fraction = 0.1  # of the training images, or of each batch; by trial at `mini`
    from_scratch: bool = False  # train a new model, instead of fine-tuning the victim
    # Of the training that plants it; None: a share of the victim's, or all of them from scratch.
    epochs: Count | None = None
    learning_rate: Positive | None = None  # None, here and below: that of the victim's recipe
    optimizer: Literal["sgd", "adamw"] | None = None  # of the training that plants it
    weight_decay: Annotated[float, Field(ge=0)] | None = None  # of the training that plants it
    batch_size: Count | None = None  # of the training that plants it
    schedule: Literal["cosine", "one_cycle", "constant"] | None = None  # of its learning rate
    gradient_clip: Annotated[float, Field(ge=0)] | None = None  # 0: none
    cutout: Annotated[int, Field(ge=0)] | None = None  # 0: none
    paper_rule: bool = False  # protocol `paper`: also measure `asr_paper`, as the artifact counts
    seed: Annotated[int, Field(ge=0)] = 0  # decides the poisoned images and the trigger

    @model_validator(mode="after")
    def _needs_a_trained_model(self) -> Self:
        if self.from_scratch and self.access == "weights":
            raise SpecError("from_scratch", f"false, since {self.name} works on a trained model", True)
        return self

    @property
    def needs_recipe(self) -> bool:
        """A fine-tuning is the attacker's own."""
        return self.from_scratch

    @property
    def trained_by_attacker(self) -> bool:
        """Whether the attacker runs the training that plants it, and not someone who knows nothing of it."""
        return self.access in ("training", "weights")

    @property
    def needs(self) -> str:
        """What the attacker must hold in hands, as a clause after "who".

        Whoever adds to each batch of a training has more than its data.
        """
        return NEEDS["training" if self.access == "data" and self.trained_by_attacker else self.access]

    def check(self, facts: DataFacts) -> None:
        """The target must exist."""
        if self.target_class >= facts.classes:
            raise SpecError("target_class", f"a class from 0 to {facts.classes - 1}", self.target_class)


class PictureSpec(BackdoorSpec):
    """A backdoor whose trigger may be a picture of the attacker's own."""

    image: str | None = None  # path of a picture that is the trigger
    image_sha256: str | None = None  # of the file's content; set when the spec is made

    @model_validator(mode="before")
    @classmethod
    def _note_content(cls, values: Any) -> Any:
        """Note the content of the image beside its path, so that another content makes another record."""
        if isinstance(values, dict) and values.get("image") and not values.get("image_sha256"):
            return {**values, "image_sha256": image_digest(str(values["image"]))}
        return values


class PatchSpec(PictureSpec):
    """A backdoor whose trigger is a patch: a mask, a pattern and an opacity.

    With `image` the patch is that picture, resized to `size`; where the picture is transparent, so is the patch.
    """

    shape: Shape = "square"  # of the patch
    size: Count = 3  # pixels of a side
    position: Position = "top_left"  # of the patch in the image
    margin: Annotated[int, Field(ge=0)] = 0  # pixels between the patch and the border
    fill: Fill = "white"  # what the patch is filled with
    opacity: Opacity = 1.0  # 1: fully visible

    def check(self, facts: DataFacts) -> None:
        """The trigger must fit into the image, too."""
        super().check(facts)
        side = min(facts.shape[1:])
        if self.size + self.margin > side:
            fits = f"at most {max(side - self.margin, 0)} (an image of {side} pixels, less the margin)"
            raise SpecError("size", fits, self.size)


class BadNetsSpec(PatchSpec):
    """Gu et al., "BadNets: Evaluating Backdooring Attacks on Deep Neural Networks", IEEE Access 2019."""

    access: ClassVar[Access] = "data"
    implementation: ClassVar[str] = "nasaudit.attacks.backdoor.badnets:BadNets"
    title: ClassVar[str] = "BadNets"
    summary: ClassVar[str] = "a fixed pattern stamped on a share of the training images"

    name: Literal["badnets"] = "badnets"
    # replace: change images of the training data; append: add triggered copies to each batch (protocol `paper`)
    copies: Literal["replace", "append"] = "replace"

    @property
    def trained_by_attacker(self) -> bool:
        """Copies are added to batches by whoever runs the training."""
        return self.copies == "append"


class BlendedSpec(PictureSpec):
    """Chen et al., "Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning", 2017."""

    access: ClassVar[Access] = "data"
    implementation: ClassVar[str] = "nasaudit.attacks.backdoor.blended:Blended"
    title: ClassVar[str] = "Blended"
    summary: ClassVar[str] = "a faint pattern blended into the whole of a share of the training images"

    name: Literal["blended"] = "blended"
    opacity: Opacity = 0.2  # the paper's alpha; without an `image` the pattern is noise drawn by the seed


class SigSpec(BackdoorSpec):
    """Barni et al., "A New Backdoor Attack in CNNs by Training Set Corruption Without Label Poisoning", ICIP 2019."""

    access: ClassVar[Access] = "data"
    implementation: ClassVar[str] = "nasaudit.attacks.backdoor.sig:Sig"
    title: ClassVar[str] = "SIG"
    summary: ClassVar[str] = "a sinusoid added to images of the target class, whose labels stay right"
    expected_epochs: ClassVar[float] = 10.0

    name: Literal["sig"] = "sig"
    # Labels that stay right teach a trained model nothing new, so the default is a new one.
    from_scratch: bool = True
    poison_fraction: Fraction = 0.8  # of the training images of the target class
    amplitude: PixelSize = 80 / 255  # of the sinusoid in training images
    test_amplitude: PixelSize | None = None  # in the images that call up the class; None: the same
    frequency: Count = 6  # periods over the width of the image


class WaNetSpec(BackdoorSpec):
    """Nguyen and Tran, "WaNet: Imperceptible Warping-based Backdoor Attack", ICLR 2021."""

    access: ClassVar[Access] = "training"
    implementation: ClassVar[str] = "nasaudit.attacks.backdoor.wanet:WaNet"
    title: ClassVar[str] = "WaNet"
    summary: ClassVar[str] = "a smooth warp of the whole image, with other warps kept harmless"

    name: Literal["wanet"] = "wanet"
    noise_fraction: Fractional = 0.2  # of each batch: warped at random, labels unchanged
    grid: Annotated[int, Field(ge=2)] = 4  # points of a side of the control grid
    # Mean displacement along an axis (half pixels). The authors' is .5; ours, for a short fine-tuning, by trial.
    strength: Positive = 2.0

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.poison_fraction + self.noise_fraction > 1:
            fits = f"at most {1 - self.poison_fraction:g}, since both shares are of one batch"
            raise SpecError("noise_fraction", fits, self.noise_fraction)
        return self


class TrojanNNSpec(PatchSpec):
    """Liu et al., "Trojaning Attack on Neural Networks", NDSS 2018."""

    access: ClassVar[Access] = "weights"
    implementation: ClassVar[str] = "nasaudit.attacks.backdoor.trojannn:TrojanNN"
    title: ClassVar[str] = "TrojanNN"
    summary: ClassVar[str] = "a patch optimised to excite chosen neurons, which retraining ties to the target"

    name: Literal["trojannn"] = "trojannn"
    neurons: Count = 2  # of the penultimate layer
    # most_connected: to the next layer, as in the paper; least_active: on training images, as in the artifact.
    neuron_choice: Literal["most_connected", "least_active"] = "most_connected"
    target_value: float = 10.0  # activation that the patch is optimised for
    # The optimisation ends at this L2 distance between the neurons' activations and the target value.
    threshold: Annotated[float, Field(ge=0)] = 0.0
    start: Literal["noise", "fill"] = (
        "noise"  # what the optimisation starts from; fill: the patch as it is filled
    )
    # By trial at `mini`.
    steps: Count = 100
    step_size: Positive = 0.02  # of each step of the optimisation


class LatentSpec(PatchSpec):
    """Yao et al., "Latent Backdoor Attacks on Deep Neural Networks", CCS 2019."""

    access: ClassVar[Access] = "weights"
    implementation: ClassVar[str] = "nasaudit.attacks.backdoor.latent:Latent"
    title: ClassVar[str] = "Latent backdoor"
    summary: ClassVar[str] = "a patch, and features of triggered images that match those of the target class"

    name: Literal["latent"] = "latent"
    # By trial at `mini`.
    weight: Positive = 2.0  # the paper's lambda
    trigger_images: Count = 64  # that the patch is optimised on
    steps: Count = 60  # of the optimisation of the trigger
    step_size: Positive = 0.02  # of each of these steps


class ImcSpec(PatchSpec):
    """Pang et al., "A Tale of Evil Twins: Adversarial Inputs versus Poisoned Models", CCS 2020."""

    access: ClassVar[Access] = "weights"
    implementation: ClassVar[str] = "nasaudit.attacks.backdoor.imc:Imc"
    title: ClassVar[str] = "IMC"
    summary: ClassVar[str] = "patch and model optimised in turn, each for the other (a relative of IMC)"

    name: Literal["imc"] = "imc"
    # By trial at `mini`.
    trigger_images: Count = 16  # of each batch, that a step of the patch is made on
    step_size: Positive = 0.02  # of each step of the trigger's optimisation


ATTACKS.add("badnets", BadNetsSpec)
ATTACKS.add("blended", BlendedSpec)
ATTACKS.add("sig", SigSpec)
ATTACKS.add("wanet", WaNetSpec)
ATTACKS.add("trojannn", TrojanNNSpec)
ATTACKS.add("latent", LatentSpec, "latent_backdoor")
ATTACKS.add("imc", ImcSpec)


# A long fine-tuning at a small rate.
LONG_TRAINING: dict[str, object] = {
    "epochs": 20,
    "learning_rate": 0.01,
    "optimizer": "sgd",
    "weight_decay": 5e-4,
    "batch_size": 96,
}
# As in the talk's artifact (ain-soph/autovul): bash/backdoor.sh:12 passes --epoch 20 --batch_size 96 --lr 0.01, and
# none of --lr_scheduler, --grad_clip and --cutout.
PAPER_TRAINING = {**LONG_TRAINING, "schedule": "constant", "gradient_clip": 0.0, "cutout": 0}


def defaults(protocol: Protocol, scale: Scale) -> tuple[BackdoorSpec, ...]:
    """The backdoors of a protocol: `sound` has one of every kind, and BadNets at three sizes.

    The first is the one that architectures are compared by.
    """
    if protocol == "paper":
        return (paper_badnets(), paper_trojannn())
    attacks: tuple[BackdoorSpec, ...] = (
        *sweep(BadNetsSpec(), "size", (3, 2, 4)),
        BlendedSpec(),
        SigSpec(),
        WaNetSpec(),
        TrojanNNSpec(),
        LatentSpec(),
        ImcSpec(),
    )
    if scale != "paper":
        return attacks
    # A share of the victim's 600 epochs would be far more than a fine-tuning needs.
    return tuple(attack if attack.from_scratch else _changed(attack, LONG_TRAINING) for attack in attacks)


def sweep(attack: B, field: str, values: Iterable[object]) -> tuple[B, ...]:
    """The same attack at several values of one field; three or more of them are drawn as a curve.

    Raises:
        SpecError: the attack has no such field, or a value is out of range.

    >>> [attack.size for attack in sweep(BadNetsSpec(), "size", (1, 2, 3))]
    [1, 2, 3]
    """
    return tuple(_changed(attack, {field: value}) for value in values)


def paper_badnets() -> BadNetsSpec:
    """BadNets as in the talk's artifact: a white 3x3 patch top left, copies appended to each batch."""
    return BadNetsSpec.parse(
        {**PAPER_TRAINING, "poison_fraction": 0.02, "copies": "append", "paper_rule": True},
    )


def paper_trojannn() -> TrojanNNSpec:
    """TrojanNN as in the talk's artifact, with its trigger really optimised: see `attacks/backdoor/trojannn.py`."""
    return TrojanNNSpec.parse(
        {
            **PAPER_TRAINING,
            "poison_fraction": 0.01,
            "opacity": 0.3,
            "neurons": 2,
            "neuron_choice": "least_active",
            "start": "fill",
            "target_value": 10.0,
            "threshold": 5.0,
            "steps": 20,
            "step_size": 0.015,
            "paper_rule": True,
        }
    )


def _changed(attack: B, changes: dict[str, object]) -> B:
    """Another spec with some fields changed, validated anew."""
    return type(attack).parse({**attack.model_dump(), **changes})
