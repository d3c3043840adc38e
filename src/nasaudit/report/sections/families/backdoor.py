"""Backdoors: what each one costs and achieves, curves over a field that was swept, and the triggers as pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nasaudit.report import format
from nasaudit.report.charts import curves as charts
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.parts import Figure, Section, Table, Tile
from nasaudit.report.sections.families.attack import MeasuredAttack, anchor, column, point, summary, table
from nasaudit.report.sections.families.backdoor_pictures import Strip, strips
from nasaudit.report.sections.families.base import Family, Wording
from nasaudit.results.schema import Headline
from nasaudit.spec.attacks import BackdoorSpec, BadNetsSpec
from nasaudit.spec.attacks import Family as FamilyName
from nasaudit.spec.attacks.backdoor import Access

FAMILY: FamilyName = "backdoor"
CURVE_POINTS = 3  # fewer values of a field are a table
TITLES: Mapping[str, str] = {
    "badnets": "BadNets",
    "blended": "Blended",
    "sig": "SIG",
    "wanet": "WaNet",
    "trojannn": "TrojanNN",
    "latent": "Latent backdoor",
    "imc": "IMC",
}
NEEDS: Mapping[Access, str] = {
    "data": "can change some of the training data",
    "training": "runs the training",
    "weights": "has the trained model and trains it further",
}
FIELDS: Mapping[str, str] = {
    "size": "side of the trigger, in pixels",
    "opacity": "opacity of the trigger",
    "poison_fraction": "share of poisoned images",
    "neurons": "target neurons",
    "amplitude": "amplitude of the signal",
}
METRICS = (
    ("clean accuracy", "clean_accuracy"),
    ("accuracy lost", "cad"),
    ("success rate", "asr"),
    ("without the backdoor", "floor"),
    ("success rate as published", "asr_paper"),
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
        return ", ".join([TITLES.get(self.attack, self.attack), *told])


@dataclass(frozen=True)
class Sweep:
    """The same backdoor at several values of one field, ascending."""

    field: str
    plants: tuple[Plant, ...]

    def value(self, plant: Plant) -> str:
        """The field of one of them, as its rows write it."""
        return plant.setting[self.field]


@dataclass(frozen=True)
class Block:
    """What the page shows of one attack."""

    title: str
    anchor: str
    summary: str
    needs: str
    figures: tuple[Figure, ...]
    tables: tuple[Table, ...]
    strips: tuple[Strip, ...]


def sweeps(found: list[Plant]) -> Iterator[Sweep]:
    """The sweeps among the backdoors of one attack: at least three that differ in one numeric field alone."""
    for field in unique(key for plant in found for key, _ in plant.identity):
        rests: dict[tuple[tuple[str, str], ...], list[Plant]] = {}
        for plant in found:
            if _is_number(plant.setting.get(field, "")):
                rest = tuple(pair for pair in plant.identity if pair[0] != field)
                rests.setdefault(rest, []).append(plant)
        for alike in rests.values():
            if len(alike) >= CURVE_POINTS:
                yield Sweep(field, tuple(sorted(alike, key=lambda one: float(one.setting[field]))))


def verdict(evidence: Evidence, subject: Subject) -> str | None:
    """How often the trigger works, what it does by itself, and the price in accuracy."""
    plant = Plant.judged(evidence)
    asr = None if plant is None else plant.row(evidence, subject, "asr")
    if plant is None or asr is None:
        return None
    floor, drop = (plant.row(evidence, subject, metric) for metric in ("floor", "cad"))
    alone = "" if floor is None else f"; without the backdoor the trigger does so on {format.value(floor)}"
    price = "" if drop is None else f" The price is {format.estimate(drop)} of clean accuracy."
    return (
        f"An attacker who {_needs(evidence, plant.attack)} can plant a backdoor ({plant.title}) whose trigger makes "
        f"it call the target class on {format.share_of(asr, 'of the images of other classes')}{alone}.{price}"
    )


def tiles(evidence: Evidence, subject: Subject) -> tuple[Tile, ...]:
    """The success rate of the backdoor that verdicts quote."""
    plant = Plant.judged(evidence)
    row = None if plant is None else plant.row(evidence, subject, "asr")
    return () if row is None else (Tile.of("obey a trigger", row),)


def wording(evidence: Evidence, headline: Headline) -> Wording:
    """With the backdoor."""
    return Wording(f"{headline.measure} ({Plant.of(next(iter(headline.rows.values()))).title})")


def section(evidence: Evidence) -> Section | None:
    """An overview of all success rates, and a block for each attack."""
    found = Plant.measured(evidence)
    if not found:
        return None
    blocks = [
        _block(evidence, attack, [plant for plant in found if plant.attack == attack])
        for attack in unique(plant.attack for plant in found)
    ]
    content = {"overview": _overview(evidence, found), "blocks": blocks}
    figures = tuple(figure for block in blocks for figure in block.figures)
    return Section("backdoor", "Backdoors", "backdoor.html.j2", content, figures)


def _overview(evidence: Evidence, found: list[Plant]) -> Table:
    return table(
        evidence,
        "Success rate: triggered images of other classes that are taken for the target",
        [column(plant.title, plant.by_name(evidence, "asr")) for plant in found],
        keep_empty=True,
    )


def _block(evidence: Evidence, attack: str, found: list[Plant]) -> Block:
    return Block(
        title=TITLES.get(attack, attack),
        anchor=anchor(FAMILY, attack),
        summary=summary(attack),
        needs=f"The attacker {_needs(evidence, attack)}.",
        figures=tuple(_figure(evidence, sweep) for sweep in sweeps(found)),
        tables=tuple(
            table(
                evidence,
                plant.title,
                [column(title, plant.by_name(evidence, metric)) for title, metric in METRICS],
            )
            for plant in found
        ),
        strips=tuple(strips(evidence, found[0].pictures(evidence), found[0].title)),
    )


def _figure(evidence: Evidence, sweep: Sweep) -> Figure:
    attack = sweep.plants[0].attack
    words = FIELDS.get(sweep.field, sweep.field.replace("_", " "))
    others = [f"{key}-{text}" for key, text in sweep.plants[0].identity if key != sweep.field]
    records = [
        point(subject, row, float(sweep.value(plant)), sweep.value(plant))
        for subject in evidence.subjects
        for plant in sweep.plants
        if (row := plant.row(evidence, subject, "asr")) is not None
    ]
    return Figure(
        name=anchor(FAMILY, attack, sweep.field, *others),
        title=f"Success rate by {words}",
        about=TITLES.get(attack, attack),
        caption=f"Share of triggered images of other classes that are taken for the target, by {words}. "
        f"The bands are {format.INTERVAL}s.",
        alt=f"Line chart of the backdoor's success rate by {words} for "
        f"{format.listing(list(evidence.titles.values()))}; the numbers are in the tables below.",
        records=records,
        chart=charts.curve(evidence.subjects, words, "success rate", measured="taken for the target"),
    )


def _needs(evidence: Evidence, attack: str) -> str:
    asked = [spec for spec in evidence.results.study.attacks if spec.name == attack]
    if not asked or not isinstance(asked[0], BackdoorSpec):
        return f"uses {attack}"
    if isinstance(asked[0], BadNetsSpec) and any(getattr(spec, "copies", "") == "append" for spec in asked):
        return NEEDS["training"]  # whoever adds to each batch has more in hands than the data
    return NEEDS[asked[0].access]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


BACKDOOR = Family(
    name=FAMILY,
    title="backdoors",
    section=section,
    verdict=verdict,
    tiles=tiles,
    wording=wording,
    verb="backdoor",
)
