"""Evasion: all attacks at a glance, then for each its security curve, the tables behind it, and its effort."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from nasaudit.report import charts, format
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.parts import Cell, Figure, Section, Table, Tile
from nasaudit.report.sections.family import Family, Yardstick
from nasaudit.spec.attacks import ATTACKS
from nasaudit.study.results import Row

FAMILY = "evasion"
# The epsilon that the field quotes most; another of the grid stands in where it was not measured.
QUOTED: Mapping[str, str] = {"linf": "8/255", "l2": "0.5"}
DENOMINATORS: Mapping[str, str] = {
    "common": "of the images that every model classifies correctly",
    "correct": "of the images that it classifies correctly",
    "all": "of all attacked images",
}
# What differs between the rows of one curve, and so does not name it.
VARYING = frozenset({"epsilon", "images", "bound", "within_steps", "within_queries"})
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
# What success is followed over, in this order of preference: (metric, key of the setting, unit).
EFFORTS = (("asr_by_queries", "within_queries", "queries"), ("asr_by_steps", "within_steps", "steps"))


@dataclass(frozen=True)
class Threat:
    """One attack as it was run: the rows of one security curve.

    Attributes:
        attack: its name.
        identity: what its rows' settings share: norm, goal, and what tells it from another run of the attack.
    """

    attack: str
    identity: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, row: Row) -> "Threat":
        """The threat that a row belongs to."""
        return cls(row.attack, tuple((key, text) for key, text in row.setting.items() if key not in VARYING))

    @property
    def setting(self) -> dict[str, str]:
        """The part of a row's setting that names this threat."""
        return dict(self.identity)

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
    def anchor(self) -> str:
        """A name safe in a file name and in an id."""
        words = "-".join([FAMILY, self.attack, *(text for _, text in self.identity)])
        return "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in words)

    def change(self, epsilon: str) -> str:
        """What this epsilon lets the attacker do, as a clause after "who"."""
        if self.norm == "linf":
            return f"may change each pixel by {epsilon}"
        return f"may change the image by a length ({self.norm}) of {epsilon}"


@dataclass(frozen=True)
class Block:
    """What the page shows of one threat; `others` are the same table with other denominators.

    `folded`: it is one of the attacks that only support the main ones, and opens at a tap.
    """

    title: str
    anchor: str
    summary: str
    folded: bool
    figure: Figure
    effort: Figure | None
    scalars: Table
    table: Table
    others: tuple[Table, ...]


def threats(evidence: Evidence) -> list[Threat]:
    """Every threat that was measured, in the order of the rows."""
    return list(dict.fromkeys(Threat.of(row) for row in evidence.of_family(FAMILY) if row.metric == "asr"))


def main_threat(evidence: Evidence) -> Threat | None:
    """The threat that verdicts quote: untargeted and linf where that was measured, and PGD rather than others."""
    found = threats(evidence)
    return max(
        found,
        key=lambda threat: (threat.goal == "untargeted", threat.norm == "linf", threat.attack == "pgd"),
        default=None,
    )


def epsilons(evidence: Evidence, threat: Threat) -> list[str]:
    """The epsilons of the curve, ascending, as the rows write them."""
    found = unique(
        row.setting["epsilon"]
        for row in evidence.of_family(FAMILY)
        if row.metric == "asr"
        and row.attack == threat.attack
        and threat.setting.items() <= row.setting.items()
    )
    return sorted(found, key=Fraction)


def quoted_epsilon(evidence: Evidence, threat: Threat) -> str:
    """The epsilon that sentences quote."""
    grid = epsilons(evidence, threat)
    quoted = QUOTED.get(threat.norm, "")
    return quoted if quoted in grid else grid[len(grid) // 2]


def denominators(evidence: Evidence, threat: Threat, metric: str = "asr") -> list[str]:
    """Which images the threat's rows count, the fairest for a comparison first."""
    found = {
        row.setting.get("images", "")
        for row in evidence.of_family(FAMILY)
        if row.metric == metric
        and row.attack == threat.attack
        and threat.setting.items() <= row.setting.items()
    }
    return [images for images in DENOMINATORS if images in found] + sorted(found - set(DENOMINATORS))


def verdict(evidence: Evidence, subject: Subject) -> str | None:
    """How often it is fooled at the quoted epsilon, and where half of its images fall."""
    threat = main_threat(evidence)
    if threat is None:
        return None
    epsilon = quoted_epsilon(evidence, threat)
    for images in ("correct", "common", "all"):
        setting = {**threat.setting, "images": images}
        row = evidence.pooled(subject.name, FAMILY, "asr", {**setting, "epsilon": epsilon}, threat.attack)
        if row is None:
            continue
        half = evidence.pooled(subject.name, FAMILY, "median_minimal_epsilon", setting, threat.attack)
        return (
            f"An attacker who {_access(threat.attack)} and {threat.change(epsilon)} fools it on "
            f"{format.share_of(row, DENOMINATORS[images])}."
        ) + ("" if half is None else f" Half of the images fall at {format.estimate(half)}.")
    return None


def tiles(evidence: Evidence, subject: Subject) -> tuple[Tile, ...]:
    """The share that falls at the quoted epsilon, and the epsilon at which half of the images fall."""
    threat = main_threat(evidence)
    if threat is None:
        return ()
    epsilon = quoted_epsilon(evidence, threat)
    for images in ("correct", "common", "all"):
        setting = {**threat.setting, "images": images}
        share = evidence.pooled(subject.name, FAMILY, "asr", {**setting, "epsilon": epsilon}, threat.attack)
        half = evidence.pooled(subject.name, FAMILY, "median_minimal_epsilon", setting, threat.attack)
        found = [(f"fall at {epsilon}", share), ("half fall at", half)]
        if share is not None:
            return tuple(Tile.of(label, row) for label, row in found if row is not None)
    return ()


def yardstick(evidence: Evidence) -> Yardstick | None:
    """The area under the security curve over the images that all models get right."""
    threat = main_threat(evidence)
    if threat is None:
        return None
    images = denominators(evidence, threat)[0]
    epsilon = quoted_epsilon(evidence, threat)
    setting = {**threat.setting, "images": images}
    areas = _by_name(evidence, "curve_area", setting, threat)
    shares = _by_name(evidence, "asr", {**setting, "epsilon": epsilon}, threat)
    counted = DENOMINATORS.get(images, images)
    if not areas:
        return Yardstick(shares, f"attack success rate at {epsilon}", {}, ("", "")) if shares else None
    return Yardstick(
        areas,
        f"area under the security curve ({threat.title})",
        shares,
        (_first_up(counted), f"fall at {epsilon}"),
    )


def section(evidence: Evidence) -> Section | None:
    """All threats in one table, then a curve with its tables for each."""
    found, main = threats(evidence), main_threat(evidence)
    if main is None:
        return None
    alike = [threat for threat in found if (threat.attack, threat.norm) == (main.attack, main.norm)]
    # The main ones first, so that nobody has to look between folded ones for them.
    ordered = [*alike, *(threat for threat in found if threat not in alike)]
    blocks = [_block(evidence, threat, folded=threat not in alike) for threat in ordered]
    overview = _overview(evidence, ordered) if len(found) > 1 else None
    figures = tuple(
        figure for block in blocks for figure in (block.figure, block.effort) if figure is not None
    )
    return Section("evasion", "Evasion", "evasion.html.j2", {"blocks": blocks, "overview": overview}, figures)


def _overview(evidence: Evidence, found: list[Threat]) -> Table:
    """A line for each threat: what it sees, and for each architecture what falls, and at what cost."""
    return Table(
        "All attacks at a glance: images that fall, the epsilon at which half of them do, and queries (median)",
        ("", "sees", *(subject.title for subject in evidence.subjects)),
        tuple(_overview_row(evidence, threat) for threat in found),
    )


def _overview_row(evidence: Evidence, threat: Threat) -> tuple[Cell, ...]:
    epsilon, images = quoted_epsilon(evidence, threat), denominators(evidence, threat)[0]
    cells, sizes = [], []
    for subject in evidence.subjects:
        share = _asr(evidence, subject, threat, images, epsilon)
        if share is None:
            cells.append(Cell.of(None))
            continue
        sizes.append(format.sample_size(share))
        setting = {**threat.setting, "images": images}
        half = evidence.pooled(subject.name, FAMILY, "median_minimal_epsilon", setting, threat.attack)
        queries = _queries(evidence, subject, threat)
        notes = [
            format.interval(share),
            "" if half is None else f"half at {format.value(half)}",
            "" if queries is None else _counted(round(queries.value), "query", "queries"),
        ]
        cells.append(Cell(format.value(share), " · ".join(note for note in notes if note)))
    name = Cell(threat.title, " · ".join([f"at {epsilon}", *unique(size for size in sizes if size)]))
    access = SEES[ATTACKS[threat.attack].threat_model] if threat.attack in ATTACKS else ""
    return (name, Cell(access), *cells)


def _queries(evidence: Evidence, subject: Subject, threat: Threat) -> Row | None:
    return evidence.pooled(subject.name, FAMILY, "median_queries", threat.setting, threat.attack)


def _counted(count: int, one: str, many: str) -> str:
    return f"{format.whole(count)}{format.NBSP}{one if count == 1 else many}"


def _block(evidence: Evidence, threat: Threat, folded: bool) -> Block:
    shown, *others = denominators(evidence, threat)
    return Block(
        title=threat.title,
        anchor=threat.anchor,
        summary=ATTACKS[threat.attack].summary if threat.attack in ATTACKS else "",
        folded=folded,
        figure=_figure(evidence, threat, shown),
        effort=_effort_figure(evidence, threat),
        scalars=_scalar_table(evidence, threat, shown),
        table=_curve_table(evidence, threat, shown),
        others=tuple(_curve_table(evidence, threat, images) for images in others),
    )


def _figure(evidence: Evidence, threat: Threat, images: str) -> Figure:
    grid = epsilons(evidence, threat)
    levels = threat.norm == "linf"
    records = []
    for subject in evidence.subjects:
        for epsilon in grid:
            row = _asr(evidence, subject, threat, images, epsilon)
            if row is not None:
                records.append(
                    {
                        "label": subject.title,
                        "x": round(float(Fraction(epsilon)) * (255 if levels else 1), 6),
                        "value": row.value,
                        "low": row.low,
                        "high": row.high,
                        "at": epsilon,
                        "estimate": format.estimate(row),
                    }
                )
    counted = DENOMINATORS.get(images, images)
    return Figure(
        name=threat.anchor,
        title="Security curve",
        about=threat.title,
        caption=f"Share {counted} that the attack turns into {threat.aim}, by epsilon. "
        f"The bands are {format.INTERVAL}s.",
        alt=f"Line chart of the attack success rate by epsilon for {format.listing(list(evidence.titles.values()))}; "
        "the numbers are in the table below.",
        records=records,
        chart=charts.curve(
            evidence.subjects,
            "epsilon, in grey levels of 255" if levels else f"epsilon ({threat.norm})",
            "images that fall",
            measured="falls",
        ),
    )


def _effort_figure(evidence: Evidence, threat: Threat) -> Figure | None:
    """Success at one epsilon over the queries or steps that the attack spends; None where neither was measured."""
    for metric, key, unit in EFFORTS:
        records: list[dict[str, object]] = []
        epsilon = ""
        for subject in evidence.subjects:
            rows = evidence.rows(subject.name, FAMILY, metric, threat.setting, threat.attack)
            pooled = [row for row in rows if row.seed == "all"] or rows
            for row in sorted(pooled, key=lambda row: int(row.setting[key])):
                epsilon = row.setting["epsilon"]
                records.append(
                    {
                        "label": subject.title,
                        "x": int(row.setting[key]),
                        "value": row.value,
                        "low": row.low,
                        "high": row.high,
                        "at": f"{row.setting[key]} {unit}",
                        "estimate": format.estimate(row),
                    }
                )
        if records:
            return Figure(
                name=f"{threat.anchor}-{unit}",
                title=f"Success over {unit}",
                about=threat.title,
                caption=f"Share {DENOMINATORS['correct']} that fall at {epsilon} within so many {unit} for each "
                f"image. Every image was attacked at this epsilon. The bands are {format.INTERVAL}s.",
                alt=f"Line chart of the attack success rate by {unit} for "
                f"{format.listing(list(evidence.titles.values()))}; the last point is the rate at {epsilon} in the "
                "table.",
                records=records,
                chart=charts.curve(
                    evidence.subjects,
                    f"{unit} for each image",
                    f"images that fall at {epsilon}",
                    measured="falls",
                    x_log=True,
                ),
            )
    return None


def _curve_table(evidence: Evidence, threat: Threat, images: str) -> Table:
    grid = epsilons(evidence, threat)
    rows = tuple(
        _curve_row(subject.title, [_asr(evidence, subject, threat, images, epsilon) for epsilon in grid])
        for subject in evidence.subjects
    )
    caption = f"Attack success rate by epsilon, {DENOMINATORS.get(images, images)}"
    return Table(caption, ("", *grid), rows, tuple(subject.name for subject in evidence.subjects))


def _curve_row(title: str, rows: list[Row | None]) -> tuple[Cell, ...]:
    """The sample size is said once, under the name, where it is the same at every epsilon."""
    sizes = unique(format.sample_size(row) for row in rows if row is not None)
    if len(sizes) != 1:
        return (Cell(title), *(Cell.of(row) for row in rows))
    cells = (Cell.of(row) if row is None else Cell(format.value(row), format.interval(row)) for row in rows)
    return (Cell(title, sizes[0]), *cells)


def _scalar_table(evidence: Evidence, threat: Threat, images: str) -> Table:
    setting = {**threat.setting, "images": images}
    epsilon = quoted_epsilon(evidence, threat)
    columns: list[tuple[str, str, Mapping[str, str]]] = [
        ("half of the images fall at", "median_minimal_epsilon", setting),
        ("area under the curve", "curve_area", setting),
        (
            f"robust accuracy at {epsilon} (all images)",
            "robust_accuracy",
            {**threat.setting, "epsilon": epsilon},
        ),
        ("mean steps", "mean_steps", threat.setting),
        ("queries (median)", "median_queries", threat.setting),
        ("zero gradients", "zero_gradient_share", threat.setting),
    ]
    table = [
        [
            evidence.pooled(subject.name, FAMILY, metric, wanted, threat.attack)
            for _, metric, wanted in columns
        ]
        for subject in evidence.subjects
    ]
    kept = [k for k in range(len(columns)) if any(row[k] is not None for row in table)]
    return Table(
        f"The curve in single numbers, {DENOMINATORS.get(images, images)}",
        ("", *(columns[k][0] for k in kept)),
        tuple(
            (Cell(subject.title), *(Cell.of(row[k]) for k in kept))
            for subject, row in zip(evidence.subjects, table, strict=True)
        ),
        tuple(subject.name for subject in evidence.subjects),
    )


def _asr(evidence: Evidence, subject: Subject, threat: Threat, images: str, epsilon: str) -> Row | None:
    setting = {**threat.setting, "images": images, "epsilon": epsilon}
    return evidence.pooled(subject.name, FAMILY, "asr", setting, threat.attack)


def _by_name(evidence: Evidence, metric: str, setting: Mapping[str, str], threat: Threat) -> dict[str, Row]:
    rows = {
        subject.name: evidence.pooled(subject.name, FAMILY, metric, setting, threat.attack)
        for subject in evidence.subjects
    }
    return {name: row for name, row in rows.items() if row is not None}


def _first_up(text: str) -> str:
    return text[:1].upper() + text[1:]


def attack_title(attack: str) -> str:
    """The name as it is written in prose: an acronym in capitals, a longer name in words."""
    return attack.upper() if len(attack) <= 5 else attack.replace("_", " ")


def _access(attack: str) -> str:
    return ACCESS[ATTACKS[attack].threat_model] if attack in ATTACKS else f"uses {attack_title(attack)}"


EVASION = Family(
    name=FAMILY,
    title="evasion",
    section=section,
    verdict=verdict,
    tiles=tiles,
    yardstick=yardstick,
    verb="evade",
)
