"""Backdoors: what each one costs and achieves, curves over a field that was swept, and the triggers as pictures."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.images import Images, Wanted, data_uri, strip, to_bytes
from nasaudit.report.parts import Block, Figure, Picture, Section, Text
from nasaudit.report.sections.families.attack import MeasuredAttack, anchor, curve_figure, point
from nasaudit.report.sections.families.base import Family, Wording, published
from nasaudit.report.sections.tables import column, table
from nasaudit.results.schema import Headline
from nasaudit.spec.attacks import BackdoorSpec, attack_title
from nasaudit.spec.attacks import Family as FamilyName

FAMILY: FamilyName = "backdoor"
CURVE_POINTS = 3  # fewer values of a field are a table
SHOWN_IMAGES = 4
WANTED = Wanted("triggered", ("prediction", "clean_prediction", "victim"), ("target",), trigger=True)
SHOWN_ARCHITECTURES = 3
INTRODUCTION = (
    "A model with a backdoor works as it should, until it sees the trigger: then it calls the target class. The "
    "success rate counts triggered test images whose true class is another one. Beside it stands what the same "
    "trigger does to the model without the backdoor: a rate near that one says that the backdoor did not take. "
    "Accuracy lost is the victim's minus the backdoored model's, on the same test images; a fine-tuned model has "
    "also trained longer, so it may be below zero."
)
FIELDS: Mapping[str, str] = {
    "size": "side of the trigger, in pixels",
    "opacity": "opacity of the trigger",
    "poison_fraction": "share of poisoned images",
    "neurons": "target neurons",
    "amplitude": "amplitude of the signal",
}
METRICS: Sequence[tuple[str, str, Mapping[str, str]]] = (
    ("", "clean_accuracy", {}),
    ("", "cad", {}),
    ("", "asr", {}),
    ("without the backdoor", "floor", {}),
    ("", "asr_paper", {}),
)


class Plant(MeasuredAttack):
    """One backdoor as it was set. Its identity: the fields that tell it from another run of the attack."""

    family = FAMILY
    metric = "asr"
    varying = frozenset({"images"})
    sort = True

    @property
    def title(self) -> str:
        """E.g. `BadNets, size 3`."""
        fields = (f"{field.replace('_', ' ')} {text}" for field, text in self.identity)
        return ", ".join([self.name, *fields])


def sweeps(plants: Sequence[Plant]) -> Iterator[tuple[str, list[Plant]]]:
    """The numeric fields in which alone at least three backdoors of one attack differ, and these, ascending."""
    for field in unique(key for plant in plants for key, _ in plant.identity):
        rests: dict[tuple[tuple[str, str], ...], list[Plant]] = {}
        for plant in plants:
            # What is no number has no place on an axis.
            with suppress(KeyError, ValueError):
                float(plant.setting[field])
                rest = tuple(pair for pair in plant.identity if pair[0] != field)
                rests.setdefault(rest, []).append(plant)
        for alike in rests.values():
            if len(alike) >= CURVE_POINTS:
                yield field, sorted(alike, key=lambda plant: float(plant.setting[field]))


def quote(evidence: Evidence, headline: Headline, subject: Subject) -> str:
    """How often the trigger works, what it does by itself, and the price in accuracy."""
    row = headline.rows.get(subject.name)
    if row is None:
        return ""
    plant = Plant.of(row)
    floor, drop = (plant.row(evidence, subject, metric) for metric in ("floor", "cad"))
    alone = "" if floor is None else f"; without the backdoor the trigger does so on {format.value(floor)}"
    price = "" if drop is None else f" The price is {format.estimate(drop)} of clean accuracy."
    return (
        f"An attacker who {_needs(evidence, plant.attack)} can plant a backdoor ({plant.title}) whose trigger makes "
        f"it call the target class on {format.estimate(row, 'of the images of other classes')}{alone}.{price}"
    )


def wording(evidence: Evidence, headline: Headline) -> Wording:
    """With the backdoor."""
    return Wording(f"{headline.measure} ({Plant.judged(headline).title})")


def section(evidence: Evidence) -> Section | None:
    """An overview of all success rates, and a block for each attack."""
    plants = Plant.measured(evidence)
    if not plants:
        return None
    overview = table(
        evidence,
        "Success rate: triggered images of other classes that are taken for the target",
        [column(plant.title, plant.by_name(evidence, "asr")) for plant in plants],
        keep_empty=True,
    )
    blocks = (
        _block(evidence, attack, [plant for plant in plants if plant.attack == attack])
        for attack in unique(plant.attack for plant in plants)
    )
    return Section.of("backdoor", "Backdoors", INTRODUCTION, published(evidence, FAMILY), overview, *blocks)


def _block(evidence: Evidence, attack: str, plants: Sequence[Plant]) -> Block:
    summary, needs = plants[0].summary, f"The attacker {_needs(evidence, attack)}."
    return Block.of(
        attack_title(attack),
        anchor(FAMILY, attack),
        Text(f"{summary.words} {needs}" if summary else needs, quiet=True),
        *(_figure(evidence, field, swept) for field, swept in sweeps(plants)),
        *(plant.table(evidence, plant.title, METRICS) for plant in plants),
        *(
            strip(
                evidence,
                entry,
                f"Pictures: {evidence.titles.get(entry.architecture, entry.architecture)}, seed {entry.seed}: "
                f"{plants[0].title}",
                WANTED,
                _draw,
                is_open=position == 0,
            )
            for position, entry in enumerate(plants[0].pictures(evidence)[:SHOWN_ARCHITECTURES])
        ),
    )


def _figure(evidence: Evidence, field: str, plants: Sequence[Plant]) -> Figure:
    attack = plants[0].attack
    words = FIELDS.get(field, field.replace("_", " "))
    others = [f"{key}-{text}" for key, text in plants[0].identity if key != field]
    return curve_figure(
        evidence,
        anchor(FAMILY, attack, field, *others),
        attack_title(attack),
        f"Success rate by {words}",
        f"Share of triggered images of other classes that are taken for the target, by {words}.",
        f"the backdoor's success rate by {words}",
        [
            point(subject, row, float(plant.setting[field]), plant.setting[field])
            for subject in evidence.subjects
            for plant in plants
            if (row := plant.row(evidence, subject, "asr")) is not None
        ],
        (words, "success rate"),
        "taken for the target",
        "the numbers are in the tables below",
    )


def _draw(images: Images) -> Iterator[Picture]:
    """The trigger alone where it is the same on every image; then images without it, with it, and the difference."""
    arrays = images.arrays
    if "mask" in arrays:
        # What is outside of the mask is grey.
        mask = arrays["mask"]
        uri = data_uri(to_bytes(0.5 * (1 - mask) + arrays["pattern"] * mask))
        yield Picture(
            ((uri, "The trigger alone, on grey"),),
            ("The trigger, which calls up ", images.class_name("target", 0)),
            f"opacity {format.percent(float(arrays['opacity']))} · grey: not covered",
        )
    for k in range(min(SHOWN_IMAGES, len(arrays["clean"]))):
        prediction = images.class_name("prediction", k)
        became = f"The same image with the trigger, taken for a {prediction}"
        yield images.triple(
            k,
            "triggered",
            ("Test image", became, "What the trigger changed"),
            ("", images.class_name("label", k), " with the trigger taken for ", prediction),
            f"without the trigger {images.class_name('clean_prediction', k)}, "
            f"without the backdoor {images.class_name('victim', k)}",
            least_gain=1,
        )


def _needs(evidence: Evidence, attack: str) -> str:
    """What the attacker must hold in hands, of all runs of the attack the most, as a clause after "who"."""
    asked = evidence.results.study.attacks
    specs = [spec for spec in asked if spec.name == attack and isinstance(spec, BackdoorSpec)]
    if not specs:
        return f"uses {attack_title(attack)}"
    return max(specs, key=lambda spec: spec.trained_by_attacker).needs


BACKDOOR = Family(FAMILY, section, quote, wording)
