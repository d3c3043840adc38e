"""What `nasaudit list` and `nasaudit show` say."""

import io
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from nasaudit.analysis.topology.shape import Topology, topology
from nasaudit.arch.catalogue import CATALOGUE, choose, resolve
from nasaudit.arch.pictures.cells import draw_svg, draw_text
from nasaudit.arch.pictures.stages import describe_family, draw_family_svg
from nasaudit.data.catalogue import DATA
from nasaudit.errors import InputError
from nasaudit.gate.compare import Difference, StudyComparison
from nasaudit.gate.judge import Gate, written
from nasaudit.planning.hardening import hardened as hardened_choices
from nasaudit.planning.hardening import variants
from nasaudit.planning.plan import plan
from nasaudit.results.schema import Row, StudyResults
from nasaudit.results.verdict_models import Effect, Remedied
from nasaudit.running.run import DOWNLOADS
from nasaudit.spec.analyses import ANALYSES
from nasaudit.spec.arch import IMAGE_SIDE, MINI_FLOPS, ArchSpec, Scale
from nasaudit.spec.attacks import ATTACKS
from nasaudit.spec.remedies import REMEDIES
from nasaudit.spec.study import ArchChoice, StudySpec

# Settings of figures that there are dozens of.
PARTS = frozenset({"layer", "op"})

# What a plan says of a hardened architecture, beside the architecture itself; an original has none of it.
HOW = ("original", "remedy", "kind", "scope", "dose", "most")

Entry = dict[str, Any]
WIDTH, NAME_WIDTH = 100, 16  # letters in a line of what is said of remedies, and in one of their names
NEGLIGIBLE = 0.005  # of the parameters and of the FLOPs: ops below it are left out of the text


def entries(what: str) -> list[Entry]:
    """The names of one catalogue, each with what a reader needs to choose."""
    return _LISTS[what]()


def table(what: str, rows: list[Entry], width: int = 120) -> str:
    """Entries as a table for the terminal, of at most so many letters in a line."""
    if not rows:
        return f"no {what} in this version"
    from rich import box
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in rows[0]:
        grid.add_column(column)
    for row in rows:
        grid.add_row(*("" if value is None else str(value) for value in row.values()))
    text = io.StringIO()
    Console(file=text, width=width).print(grid)
    return text.getvalue().rstrip()


def measured(rows: Iterable[Row]) -> str:
    """Rows over all seeds as a table for the terminal; figures of single layers and ops are left to the report."""
    return table(
        "measurements",
        [
            {
                "measured": " ".join([row.metric.replace("_", " "), *row.setting.values()]),
                "value": f"{row.value:,.0f}" if row.value == round(row.value) else f"{row.value:.4g}",
                "95 % interval": "exact" if row.low == row.high else f"[{row.low:.4g}, {row.high:.4g}]",
                "n": row.n,
                "unit": row.unit,
            }
            for row in rows
            if row.seed == "all" and not PARTS & row.setting.keys()
        ],
    )


def judged(gate: Gate) -> str:
    """The verdicts of a gate for the terminal: a table, why each broken rule is broken, and how many hold."""
    rows, told = [], ""
    for verdict in gate.verdicts:
        rows.append(
            {
                "rule": "" if verdict.rule == told else verdict.rule,
                "architecture": verdict.architecture,
                "figure": _spaced(verdict.figure),
                "measured": written(verdict.measured),
                "difference": "" if verdict.difference is None else written(verdict.difference),
                "": "holds" if verdict.holds else "BROKEN",
            }
        )
        told = verdict.rule
    if not any(row["difference"] for row in rows):
        rows = [{key: text for key, text in row.items() if key != "difference"} for row in rows]
    why = [f"{gate.policy.path}:{verdict.line}: {verdict.sentence}" for verdict in gate.broken]
    titles = {verdict.rule for verdict in gate.verdicts}
    broken = {verdict.rule for verdict in gate.broken}
    end = f"{len(broken)} of {len(titles)} rules are broken" if broken else f"all {len(titles)} rules hold"
    return "\n".join([table("verdicts", rows), "", *why, end])


def compared(comparison: StudyComparison, everything: bool) -> str:
    """Differences of two studies as a table for the terminal."""
    shown = [one for one in comparison.differences if everything or one.headline]
    rows = [
        {
            "architecture": one.architecture,
            "figure": _spaced(one.figure),
            "first": _side(one, "before"),
            "second": _side(one, "after"),
            "difference": written(one.difference),
            "interval": f"{one.n} seeds" if one.how == "seeds" else one.how,
            "finding": one.finding,
        }
        for one in shown
    ]
    left = len(comparison.differences) - len(shown)
    lines = [table("headlines that both studies have", rows)]
    if {row["interval"] for row in rows} - {"exact"}:
        lines += [
            "",
            "95 % intervals: where nothing differs, 1 figure in 20 is called better or worse all the same",
        ]
    if left:
        lines.append(f"{left} further figures: --all, or --json")
    return "\n".join(lines)


def remedied(results: StudyResults) -> str:
    """What a study's remedies did, for the terminal: the advice in sentences, then every figure before and after."""
    from nasaudit.report.evidence import Evidence
    from nasaudit.report.format import NBSP
    from nasaudit.report.sections.remedies.method import method, talk
    from nasaudit.report.sections.remedies.names import Names
    from nasaudit.report.sections.remedies.words import hardenings, sentence, summary, threats, title

    names = Names.of(results, Evidence(results, Path()).titles)
    found = hardenings(results.remedies, names, len(results.study.seeds))
    if not found:
        return "no remedies in this study"
    parts = [_wrapped(summary(found))]
    for of_one in found:
        items = [
            _wrapped(said, "- ")
            for said in (*threats(of_one), *(sentence(of_one, one) for one in of_one.remedies))
        ]
        rows = [row for one in of_one.remedies for row in _changes(one, of_one.names.full(one))]
        measures = dict.fromkeys(_explained(effect) for one in of_one.remedies for effect in one.effects)
        told = [f"The figures: {'; '.join(measures)}."] if measures else []
        told += [" ".join(said) for said in (talk(of_one), method(of_one)) if said]
        parts += [title(of_one), "\n".join(items), table("figures", rows, WIDTH), *map(_wrapped, told)]
    return "\n\n".join(parts).replace(NBSP, " ")


def _changes(one: Remedied, name: str) -> Iterator[Entry]:
    """A row for each figure of a remedy; its name stands in the first."""
    for effect in [*([] if one.accuracy is None else [one.accuracy]), *one.effects]:
        yield _changed(effect, name)
        name = ""


def _changed(effect: Effect, name: str) -> Entry:
    from nasaudit.report import format

    change, metric, unit = effect.difference, effect.metric, effect.unit
    points = f"{format.NBSP}points"
    before, after = (format.amount(side.value, metric, unit) for side in (effect.before, effect.after))
    return {
        "remedy": textwrap.fill(name, NAME_WIDTH, break_on_hyphens=False),
        "figure": _short(effect) + (" (%)" if format.in_points(metric, unit) else ""),
        "before \N{RIGHTWARDS ARROW} after": f"{before} \N{RIGHTWARDS ARROW} {after}",
        "difference": format.changed(change.value, change.low, change.high, metric, unit).replace(points, ""),
        "Holm p": "" if effect.p_holm is None else format.p_value(effect.p_holm).replace(" ", ""),
        "finding": effect.finding,
    }


def _short(effect: Effect) -> str:
    """The family stands for its headline; what decides nothing stands in brackets."""
    if not effect.headline:
        return f"({effect.metric.replace('_', ' ')})"
    return "accuracy" if effect.family == "training" else effect.family


def _explained(effect: Effect) -> str:
    ending = "" if effect.headline else ", which decides nothing"
    return f"{_short(effect)}, {effect.measure}{ending}"


def _wrapped(said: str, start: str = "") -> str:
    return textwrap.fill(
        said, WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False
    )


def _spaced(figure: str) -> str:
    """Settings with spaces between them, so that a narrow column can break them."""
    return figure.replace(";", " ")


def _side(one: Difference, side: Literal["before", "after"]) -> str:
    value = one.before.value if side == "before" else one.after.value
    return f"{'at least ' * (side in one.least)}{value:.4g}"


@dataclass(frozen=True)
class Facts:
    """One architecture as `nasaudit show` tells it; `parameters` and `flops` are for `spec.input_shape`."""

    spec: ArchSpec
    title: str
    source: str
    parameters: int
    flops: int
    topology: Mapping[str, Topology]
    parameter_share: Mapping[str, float]  # by op, see `arch.cost.cost_by_op`
    flop_share: Mapping[str, float]

    def as_dict(self) -> Entry:
        """Plain data for a program."""
        genotype = self.spec.genotype
        return {
            "name": self.spec.name,
            "title": self.title,
            "group": self.spec.group,
            "scale": self.spec.scale,
            "classes": self.spec.classes,
            "input_shape": list(self.spec.input_shape),
            "parameters": self.parameters,
            "flops": self.flops,
            "genotype": None if genotype is None else genotype.model_dump(mode="json"),
            "topology": {
                cell: asdict(shape) | {"ops": dict(shape.ops)} for cell, shape in self.topology.items()
            },
            "parameter_share": dict(self.parameter_share),
            "flop_share": dict(self.flop_share),
            "source": self.source,
        }

    def as_text(self) -> str:
        """For a person."""
        shape = "x".join(map(str, self.spec.input_shape))
        lines = [
            f"{self.title} ({self.spec.group}), scale {self.spec.scale}: {self.source}",
            f"{self.parameters:,} parameters, {self.flops / 1e6:.1f} MFLOPs forward per {shape} image "
            f"(2 per multiply-add), {self.spec.classes} classes",
        ]
        if self.spec.scale == "mini" and self.spec.model is None:
            low, high = MINI_FLOPS
            lines.append(f"budget of the scale: {low / 1e6:g} to {high / 1e6:g} MFLOPs per 3x28x28 image")
        for cell, found in self.topology.items():
            lines.append(
                f"{cell} cell: depth {found.depth}, width {found.width:g}, "
                f"{found.skips} skips ({found.skip_share:.0%} of the edges); "
                + ", ".join(f"{count} {op}" for op, count in found.ops)
            )
        lines.append("parameters and FLOPs by op: " + self._shares())
        genotype = self.spec.genotype
        if genotype is not None:
            lines += ["", draw_text(genotype)]
        elif self.spec.model is None:
            lines += ["", describe_family(self.spec.name, self.spec.scale)]
        return "\n".join(lines)

    def _shares(self) -> str:
        """The ops by their share of the FLOPs, largest first: `sep_conv_3x3 37 % and 49 %, ...`."""
        shares = [
            (op, self.parameter_share[op], flops)
            for op, flops in sorted(self.flop_share.items(), key=lambda item: -item[1])
        ]
        return ", ".join(
            f"{op} {own:.0%} and {flops:.0%}" for op, own, flops in shares if max(own, flops) >= NEGLIGIBLE
        )


def describe(architecture: str, scale: Scale, classes: int) -> Facts:
    """Build an architecture at a scale, for 3-channel images of the scale's size, and measure it."""
    side = IMAGE_SIDE[scale]
    choice = choose(architecture)
    return _measure(choice, resolve(choice, scale, classes, (3, side, side)), _source(choice, architecture))


def _measure(choice: ArchChoice, spec: ArchSpec, source: str) -> Facts:
    """Build a network and measure it."""
    from nasaudit.arch.cost import cost_by_op
    from nasaudit.arch.network import build

    network = build(spec)
    entry = CATALOGUE[choice.name] if choice.name in CATALOGUE and choice.genotype is None else None
    costs = cost_by_op(network, spec.input_shape)
    parameters = sum(cost.parameters for cost in costs.values())
    flops = sum(cost.flops for cost in costs.values())
    return Facts(
        spec=spec,
        title=entry.title if entry else choice.name,
        source=entry.source if entry else source,
        parameters=parameters,
        flops=flops,
        topology={} if spec.genotype is None else topology(spec.genotype),
        parameter_share={op: cost.parameters / max(1, parameters) for op, cost in costs.items()},
        flop_share={op: cost.flops / max(1, flops) for op, cost in costs.items()},
    )


def _source(choice: ArchChoice, written: str) -> str:
    """Where an architecture of the user's own comes from."""
    return written if choice.model is None else f"{choice.model.builder} {choice.model.target}"


def hardened(study: StudySpec) -> list[Entry]:
    """The originals and the hardened architectures of a study, measured and not trained: what `--plan` says.

    Raises:
        InputError: the study cannot be run as asked.
    """
    planned = plan(study, DOWNLOADS)
    found = {variant.name: variant for variant in variants(study)}
    choices = (*study.architectures, *hardened_choices(study))
    entries = []
    # A plan has them first, in this order; what it has beyond them is the study's population.
    for choice, spec in zip(choices, planned.architectures, strict=False):
        variant = found.get(spec.name)
        source = f"hardened {variant.original}" if variant else _source(choice, choice.name)
        how = {key: getattr(variant, key, None) or None for key in HOW}
        entries.append({**_measure(choice, spec, source).as_dict(), **how, "training": choice.training})
    return entries


def hardened_table(entries: list[Entry], answers: Sequence[str] = ()) -> str:
    """The same for a person.

    Args:
        entries: of `hardened`.
        answers: remedies that make no architecture.
    """

    def dose(entry: Entry) -> str:
        partial = entry["dose"] is not None and entry["dose"] != entry["most"]
        return f" {entry['dose']} of {entry['most']}" if partial else ""

    def shape(entry: Entry, key: str) -> str:
        return " / ".join(f"{cell[key]:g}" for cell in entry["topology"].values())

    rows = [
        {
            "name": entry["name"],
            "remedy": "(original)" if entry["remedy"] is None else f"{entry['remedy']}{dose(entry)}",
            "depth": shape(entry, "depth"),
            "width": shape(entry, "width"),
            "skips": shape(entry, "skips"),
            "parameters": f"{entry['parameters']:,}",
            "MFLOPs": f"{entry['flops'] / 1e6:.1f}",
            "training": ", ".join(_fields(entry["training"] or {})),
        }
        for entry in entries
    ]
    kept = [column for column in rows[0] if any(row[column] for row in rows)]
    shown = table("hardened architectures", [{column: row[column] for column in kept} for row in rows])
    notes = ["depth, width and skips are those of the normal / reduction cell"] if "depth" in kept else []
    notes += [f"tried on each of them as it is: {', '.join(answers)}"] if answers else []
    return "\n".join([shown, "", *notes, "nothing was trained"])


def _fields(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Nested fields as a path and a value: `adversarial.method=pgd`."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _fields(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}" if value == {} else f"{prefix}{key}={value}"


def write_svg(facts: Facts, path: Path) -> None:
    """A picture of the cells, or of a manual family's stages."""
    spec = facts.spec
    if spec.model is not None:
        raise InputError(
            f"--svg: expected an architecture with cells or stages to draw, got {spec.name}, "
            "which is defined elsewhere"
        )
    if spec.genotype is None:
        text = draw_family_svg(spec.name, spec.scale, facts.title)
    else:
        text = draw_svg(spec.genotype, facts.title)
    path.write_text(text, encoding="utf-8")


def _architectures() -> list[Entry]:
    return [
        {"name": name, "title": entry.title, "group": entry.group, "source": entry.source}
        for name in CATALOGUE
        for entry in (CATALOGUE[name],)
    ]


def _attacks() -> list[Entry]:
    return [
        {
            "name": name,
            "family": spec.family,
            "threat_model": spec.threat_model,
            "summary": spec.summary,
        }
        for name in ATTACKS
        for spec in (ATTACKS[name],)
    ]


def _data() -> list[Entry]:
    return [
        {
            "name": name,
            "shape": None if source.shape is None else "x".join(map(str, source.shape)),
            "classes": source.classes,
            "needs": source.needs,
            "summary": source.summary,
        }
        for name in DATA
        for source in (DATA[name],)
    ]


def _searches() -> list[Entry]:
    from nasaudit.search import SEARCHES

    return [{"name": name} for name in SEARCHES]


def _analyses() -> list[Entry]:
    return [{"name": name, "summary": ANALYSES[name].summary} for name in ANALYSES]


def _remedies() -> list[Entry]:
    return [
        {"name": name, "kind": remedy.kind, "title": remedy.title}
        for name in REMEDIES
        for remedy in (REMEDIES[name],)
    ]


_LISTS: dict[str, Callable[[], list[Entry]]] = {
    "architectures": _architectures,
    "attacks": _attacks,
    "data": _data,
    "searches": _searches,
    "analyses": _analyses,
    "remedies": _remedies,
}
