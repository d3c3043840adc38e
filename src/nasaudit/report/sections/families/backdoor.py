"""Backdoors: what each one costs and achieves, curves over a field that was swept, and the triggers as pictures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from nasaudit.report import format
from nasaudit.report.charts import curves as charts
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.images import Arrays, data_uri, strip, to_bytes, triple
from nasaudit.report.parts import Block, Figure, Picture, Section, Text, Tile
from nasaudit.report.sections.families.attack import MeasuredAttack, anchor, curve_figure, point
from nasaudit.report.sections.families.base import Family, Quote, Wording, published
from nasaudit.report.sections.tables import column, table
from nasaudit.results.schema import Headline
from nasaudit.spec.attacks import BackdoorSpec, attack_title
from nasaudit.spec.attacks import Family as FamilyName

FAMILY: FamilyName = "backdoor"
CURVE_POINTS = 3  # fewer values of a field are a table
SHOWN_IMAGES = 4
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
METRICS = (
    ("", "clean_accuracy"),
    ("", "cad"),
    ("", "asr"),
    ("without the backdoor", "floor"),
    ("", "asr_paper"),
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
        told = [f"{field.replace('_', ' ')} {text}" for field, text in self.identity]
        return ", ".join([self.name, *told])


@dataclass(frozen=True)
class Sweep:
    """The same backdoor at several values of one field, ascending."""

    field: str
    plants: tuple[Plant, ...]

    def value(self, plant: Plant) -> str:
        """The field of one of them, as its rows write it."""
        return plant.setting[self.field]


def sweeps(found: Sequence[Plant]) -> Iterator[Sweep]:
    """The sweeps among the backdoors of one attack: at least three that differ in one numeric field alone."""
    for field in unique(key for plant in found for key, _ in plant.identity):
        rests: dict[tuple[tuple[str, str], ...], list[Plant]] = {}
        for plant in found:
            if _is_number(plant.setting.get(field, "")):
                rest = tuple(pair for pair in plant.identity if pair[0] != field)
                rests.setdefault(rest, []).append(plant)
        for alike in rests.values():
            if len(alike) >= CURVE_POINTS:
                yield Sweep(field, tuple(sorted(alike, key=lambda plant: float(plant.setting[field]))))


def quote(evidence: Evidence, headline: Headline, subject: Subject) -> Quote:
    """How often the trigger works, what it does by itself, and the price in accuracy."""
    row = headline.rows.get(subject.name)
    if row is None:
        return Quote()
    plant = Plant.of(row)
    floor, drop = (plant.row(evidence, subject, metric) for metric in ("floor", "cad"))
    alone = "" if floor is None else f"; without the backdoor the trigger does so on {format.value(floor)}"
    price = "" if drop is None else f" The price is {format.estimate(drop)} of clean accuracy."
    return Quote(
        f"An attacker who {_needs(evidence, plant.attack)} can plant a backdoor ({plant.title}) whose trigger makes "
        f"it call the target class on {format.share_of(row, 'of the images of other classes')}{alone}.{price}",
        (Tile.of("obey a trigger", row),),
    )


def wording(evidence: Evidence, headline: Headline) -> Wording:
    """With the backdoor."""
    return Wording(f"{headline.measure} ({Plant.judged(headline).title})")


def section(evidence: Evidence) -> Section | None:
    """An overview of all success rates, and a block for each attack."""
    found = Plant.measured(evidence)
    if not found:
        return None
    overview = table(
        evidence,
        "Success rate: triggered images of other classes that are taken for the target",
        [column(plant.title, plant.by_name(evidence, "asr")) for plant in found],
        keep_empty=True,
    )
    blocks = (
        _block(evidence, attack, [plant for plant in found if plant.attack == attack])
        for attack in unique(plant.attack for plant in found)
    )
    return Section.of("backdoor", "Backdoors", INTRODUCTION, published(evidence, FAMILY), overview, *blocks)


def _block(evidence: Evidence, attack: str, found: Sequence[Plant]) -> Block:
    summary, needs = found[0].summary, f"The attacker {_needs(evidence, attack)}."
    pictures = found[0].pictures(evidence)[:SHOWN_ARCHITECTURES]
    return Block.of(
        attack_title(attack),
        anchor(FAMILY, attack),
        Text(f"{summary.words} {needs}" if summary else needs, quiet=True),
        *(_figure(evidence, sweep) for sweep in sweeps(found)),
        *(
            plant.table(evidence, plant.title, [(title, metric, {}) for title, metric in METRICS])
            for plant in found
        ),
        *(
            strip(
                evidence,
                entry,
                f"Pictures: {evidence.titles.get(entry.architecture, entry.architecture)}, seed {entry.seed}: "
                f"{found[0].title}",
                partial(_draw, evidence.results.class_names),
                is_open=position == 0,
            )
            for position, entry in enumerate(pictures)
        ),
    )


def _figure(evidence: Evidence, sweep: Sweep) -> Figure:
    attack = sweep.plants[0].attack
    words = FIELDS.get(sweep.field, sweep.field.replace("_", " "))
    others = [f"{key}-{text}" for key, text in sweep.plants[0].identity if key != sweep.field]
    return curve_figure(
        evidence,
        anchor(FAMILY, attack, sweep.field, *others),
        attack_title(attack),
        f"Success rate by {words}",
        f"Share of triggered images of other classes that are taken for the target, by {words}.",
        f"the backdoor's success rate by {words}",
        [
            point(subject, row, float(sweep.value(plant)), sweep.value(plant))
            for subject in evidence.subjects
            for plant in sweep.plants
            if (row := plant.row(evidence, subject, "asr")) is not None
        ],
        charts.curve(evidence.subjects, words, "success rate", measured="taken for the target"),
        "the numbers are in the tables below",
    )


def _draw(class_names: Sequence[str], arrays: Arrays) -> Iterator[Picture]:
    """The trigger alone where it is the same on every image; then images without it, with it, and the difference."""
    if "mask" in arrays:
        # What is outside of the mask is grey.
        mask = arrays["mask"]
        uri = data_uri(to_bytes(0.5 * (1 - mask) + arrays["pattern"] * mask))
        target = format.class_name(class_names, int(arrays["target"]))
        yield Picture(
            ((uri, "The trigger alone, on grey"),),
            ("The trigger, which calls up ", target),
            f"opacity {format.percent(float(arrays['opacity']))} · grey: not covered",
        )
    for k in range(min(SHOWN_IMAGES, len(arrays["clean"]))):
        label, prediction, without_trigger, without_backdoor = (
            format.class_name(class_names, int(arrays[key][k]))
            for key in ("label", "prediction", "clean_prediction", "victim")
        )
        yield triple(
            arrays,
            k,
            "triggered",
            label,
            (
                "Test image",
                f"The same image with the trigger, taken for a {prediction}",
                "What the trigger changed",
            ),
            ("", label, " with the trigger taken for ", prediction),
            f"without the trigger {without_trigger}, without the backdoor {without_backdoor}",
            least_gain=1,
        )


def _needs(evidence: Evidence, attack: str) -> str:
    """What the attacker must hold in hands, of all runs of the attack the most, as a clause after "who"."""
    asked = [spec for spec in evidence.results.study.attacks if spec.name == attack]
    specs = [spec for spec in asked if isinstance(spec, BackdoorSpec)]
    if not specs:
        return f"uses {attack_title(attack)}"
    return max(specs, key=lambda spec: spec.trained_by_attacker).needs


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


BACKDOOR = Family(FAMILY, section, quote, wording)
