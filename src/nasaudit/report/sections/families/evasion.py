"""Evasion: all attacks at a glance, then for each its security curve, the tables behind it, and its effort."""

from collections.abc import Mapping

from nasaudit.analysis.topology.shape import skip_share
from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject, unique
from nasaudit.report.parts import ABSENT, Block, Cell, Figure, Section, Table, folded
from nasaudit.report.sections.families.attack import MeasuredAttack, curve_figure, point
from nasaudit.report.sections.families.base import Family, Wording, published
from nasaudit.report.sections.tables import column, listed, table
from nasaudit.results.schema import Headline
from nasaudit.spec.attacks import THREAT_MODELS, TransferSpec
from nasaudit.spec.attacks.base import SAME
from nasaudit.spec.units import as_number
from nasaudit.verdicts.headlines import QUOTED

DENOMINATORS: Mapping[str, str] = {
    "common": "of the images that every model classifies correctly",
    "correct": "of the images that it classifies correctly",
    "all": "of all attacked images",
}
# The same in a word or two, for what stands beside a figure in large print.
COUNTED: Mapping[str, str] = {"common": "common images", "correct": "its correct images", "all": "all images"}
GOALS: Mapping[str, str] = {
    "untargeted": "any wrong class",
    "least_likely": "the class the model holds least likely",
    "second_likely": "the class the model holds second most likely",
    "targeted": "one chosen class",
}
# What success is followed over, in this order of preference: (metric, key of the setting, unit).
EFFORTS = (("asr_by_queries", "within_queries", "queries"), ("asr_by_steps", "within_steps", "steps"))


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
    def aim(self) -> str:
        """The goal in words."""
        goal = self.setting.get("goal", "")
        return GOALS.get(goal, goal)

    @property
    def title(self) -> str:
        """E.g. `PGD, linf, any wrong class`."""
        others = [f"{key} {text}" for key, text in self.identity if key not in ("norm", "goal")]
        return ", ".join([self.name, self.norm, self.aim, *others])

    def quoted_epsilon(self, evidence: Evidence) -> str:
        """The epsilon that sentences quote; the middle of a grid that lacks the one that the field quotes most."""
        grid = self.values(evidence, "epsilon")
        quoted = QUOTED.get(self.norm, "")
        return quoted if quoted in grid or not grid else grid[len(grid) // 2]

    def denominators(self, evidence: Evidence) -> list[str]:
        """Which images the rows count, the fairest for a comparison first."""
        counted = {row.setting.get("images", "") for row in self.rows(evidence)}
        return [images for images in DENOMINATORS if images in counted] + sorted(counted - set(DENOMINATORS))


def quote(evidence: Evidence, headline: Headline, subject: Subject) -> str:
    """How often it is fooled at the quoted epsilon, and where half of its images fall."""
    threat = Threat.judged(headline)
    epsilon = headline.setting.get("epsilon") or threat.quoted_epsilon(evidence)
    allowed = (
        f"may change each pixel by {epsilon}"
        if threat.norm == "linf"
        else f"may change the image by a length ({threat.norm}) of {epsilon}"
    )
    for images in ("correct", "common", "all"):
        share = threat.row(evidence, subject, "asr", images=images, epsilon=epsilon)
        if share is None:
            continue
        half = threat.row(evidence, subject, "median_minimal_epsilon", images=images)
        access = f"An attacker who {threat.access}"
        fooled = f"{access} and {allowed} fools it on {format.estimate(share, DENOMINATORS[images])}."
        if half is None:
            return fooled
        falls = f"Half of the images fall by {format.estimate(half)}, the median minimal epsilon. "
        return falls + fooled
    return ""


def wording(evidence: Evidence, headline: Headline) -> Wording:
    """With the threat; beside an area the epsilon at which half of the images fall."""
    if headline.metric == "asr":
        return Wording(headline.measure)
    threat = Threat.judged(headline)
    images = headline.setting.get("images", "")
    return Wording(
        f"{headline.measure} ({threat.title})",
        threat.by_name(evidence, "median_minimal_epsilon", images=images),
        (format.first_up(DENOMINATORS.get(images, images)), "of change breaks half"),
    )


def section(evidence: Evidence) -> Section | None:
    """All threats in one table, then a curve with its tables for each; those that only support the main ones fold."""
    threats = Threat.measured(evidence)
    if not threats:
        return None
    headline = evidence.results.headline(Threat.family)
    main = threats[0] if headline is None else Threat.judged(headline)
    alike = [threat for threat in threats if (threat.attack, threat.norm) == (main.attack, main.norm)]
    # The main ones first, so that nobody has to look between folded ones for them.
    ordered = [*alike, *(threat for threat in threats if threat not in alike)]
    # A table with a column for each architecture; of very many nobody reads it.
    overview = None
    if len(threats) > 1 and not evidence.crowded:
        overview = Table(
            "All attacks at a glance: images that fall, the epsilon at which half of them do, and queries (median)",
            ("", "sees", *(subject.title for subject in evidence.subjects)),
            tuple(_overview_row(evidence, threat) for threat in ordered),
        )
    blocks = (_block(evidence, threat, is_folded=threat not in alike) for threat in ordered)
    return Section.of("evasion", "Evasion", published(evidence, Threat.family), overview, *blocks)


def _block(evidence: Evidence, threat: Threat, is_folded: bool) -> Block:
    """Curve and single numbers are those of the fairest denominator."""
    shown, *others = threat.denominators(evidence)
    epsilon = threat.quoted_epsilon(evidence)
    scalars = threat.table(
        evidence,
        f"The curve in single numbers, {DENOMINATORS.get(shown, shown)}",
        [
            ("half of the images fall at", "median_minimal_epsilon", {"images": shown}),
            ("area under the curve", "curve_area", {"images": shown}),
            (f"robust accuracy at {epsilon} (all images)", "robust_accuracy", {"epsilon": epsilon}),
            ("", "mean_steps", {}),
            ("", "median_queries", {}),
            ("", "zero_gradient_share", {}),
        ],
    )
    return Block.of(
        threat.title,
        threat.anchor,
        threat.summary,
        _curve_figure(evidence, threat, shown),
        scalars,
        _curve_table(evidence, threat, shown),
        _skip_table(evidence, threat, epsilon),
        _effort_figure(evidence, threat),
        folded(
            "The same with other images counted",
            *(_curve_table(evidence, threat, images) for images in others),
        ),
        folded=is_folded,
    )


def _overview_row(evidence: Evidence, threat: Threat) -> tuple[Cell, ...]:
    epsilon, images = threat.quoted_epsilon(evidence), threat.denominators(evidence)[0]
    cells, sizes = [], []
    for subject in evidence.subjects:
        share = threat.row(evidence, subject, "asr", images=images, epsilon=epsilon)
        if share is None:
            cells.append(Cell(ABSENT))
            continue
        sizes.append(format.sample_size(share))
        half = threat.row(evidence, subject, "median_minimal_epsilon", images=images)
        queries = threat.row(evidence, subject, "median_queries")
        notes = [
            format.interval(share),
            "" if half is None else f"half at {format.value(half)}",
            ""
            if queries is None
            else f"{format.whole(queries.value)}{format.NBSP}{'query' if round(queries.value) == 1 else 'queries'}",
        ]
        cells.append(Cell.figure(share, " · ".join(note for note in notes if note)))
    counted = f"of {COUNTED.get(images, images)}"
    name = Cell(threat.title, " · ".join([f"at {epsilon}", counted, *unique(size for size in sizes if size)]))
    sees = "" if threat.spec is None else THREAT_MODELS[threat.spec.threat_model].sees
    return (name, Cell(sees), *cells)


def _curve_figure(evidence: Evidence, threat: Threat, images: str) -> Figure:
    levels = 255 if threat.norm == "linf" else 1
    return curve_figure(
        evidence,
        threat.anchor,
        threat.title,
        "Security curve",
        f"Share {DENOMINATORS.get(images, images)} that the attack turns into {threat.aim}, by epsilon.",
        "the attack success rate by epsilon",
        threat.points(
            evidence,
            "asr",
            "epsilon",
            lambda epsilon: (round((as_number(epsilon) or 0.0) * levels, 6), epsilon),
            images=images,
        ),
        (
            "epsilon, in grey levels of 255" if threat.norm == "linf" else f"epsilon ({threat.norm})",
            "images that fall",
        ),
        "falls",
        x_log=True,
    )


def _effort_figure(evidence: Evidence, threat: Threat) -> Figure | None:
    """Success at one epsilon over the queries or steps that the attack spends; None where neither was measured."""
    for metric, key, unit in EFFORTS:
        records: list[dict[str, object]] = []
        epsilon = ""
        for subject in evidence.subjects:
            rows = evidence.rows(subject.name, threat.family, metric, threat.attack, **threat.setting)
            pooled = [row for row in rows if row.seed == "all"] or rows
            for row in sorted(pooled, key=lambda row: int(row.setting[key])):
                epsilon = row.setting["epsilon"]
                records.append(point(subject, row, int(row.setting[key]), f"{row.setting[key]} {unit}"))
        if records:
            return curve_figure(
                evidence,
                f"{threat.anchor}-{unit}",
                threat.title,
                f"Success over {unit}",
                f"Share {DENOMINATORS['correct']} that fall at {epsilon} within so many {unit} for each image. "
                "Every image was attacked at this epsilon.",
                f"the attack success rate by {unit}",
                records,
                (f"{unit} for each image", f"images that fall at {epsilon}"),
                "falls",
                f"the last point is the rate at {epsilon} in the table",
                x_log=True,
            )
    return None


def _curve_table(evidence: Evidence, threat: Threat, images: str) -> Table:
    """The sample size is said once, under the name, where it is the same at every epsilon."""
    grid = threat.values(evidence, "epsilon")
    lines = []
    for subject in evidence.subjects:
        rows = [threat.row(evidence, subject, "asr", images=images, epsilon=epsilon) for epsilon in grid]
        sizes = unique(format.sample_size(row) for row in rows if row is not None)
        if len(sizes) == 1:
            cells = [Cell.of(row) if row is None else Cell.figure(row, format.interval(row)) for row in rows]
        else:
            cells = [Cell.of(row) for row in rows]
        lines.append((subject, sizes[0] if len(sizes) == 1 else "", cells))
    caption = f"Attack success rate by epsilon, {DENOMINATORS.get(images, images)}"
    return listed(caption, grid, lines)


def _skip_table(evidence: Evidence, threat: Threat, epsilon: str) -> Table | None:
    """What favouring skips gained, beside the skip share of the model that the examples were made on."""
    at = {"epsilon": epsilon, "images": "correct"}
    gains = threat.by_name(evidence, "skip_gain", **at)
    if not gains:
        return None
    asked = evidence.results.study.attacks
    runs = [spec for spec in asked if isinstance(spec, TransferSpec) and spec.skip_gamma != 1]
    shares = {
        subject.name: Cell(format.percent(share))
        for subject in evidence.subjects
        if subject.name in gains
        and all(spec.surrogate == SAME for spec in runs)
        and (share := skip_share(subject.spec.genotype)) is not None
    }
    return table(
        evidence,
        f"What favouring skips gained at {epsilon}, {DENOMINATORS['correct']} (paired: the same images by plain "
        "gradients). Skip share: edges of both cells that are skips, of the attacker's own model of the same "
        "architecture; hand-made networks have no cells",
        [
            ("skip share", shares),
            column("by plain gradients", threat.by_name(evidence, "plain_asr", **at)),
            column("by gradients that favour skips", threat.by_name(evidence, "asr", **at)),
            column("gain", gains),
        ],
    )


EVASION = Family(Threat.family, section, quote, wording)
