"""What `nasaudit show` and `nasaudit mitigate --plan` say of architectures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nasaudit.analysis.topology.shape import Topology, topology
from nasaudit.arch.catalogue import CATALOGUE, choose, resolve, same_cells
from nasaudit.arch.pictures.cells import draw_svg, draw_text
from nasaudit.arch.pictures.stages import describe_family, draw_family_svg
from nasaudit.errors import InputError
from nasaudit.planning.hardening import hardened as hardened_choices
from nasaudit.planning.hardening import variants
from nasaudit.planning.plan import plan
from nasaudit.running.options import DOWNLOADS
from nasaudit.spec.arch import FLOPS_BUDGET, IMAGE_SIDE, ArchSpec, Scale
from nasaudit.spec.study import ArchChoice, StudySpec
from nasaudit.terminal.plain import plain, plain_lines
from nasaudit.terminal.tables import Entry, table

# What a plan says of a hardened architecture, beside the architecture itself; an original has none of it.
HOW = ("original", "remedy", "kind", "scope", "dose", "most")

NEGLIGIBLE = 0.005  # of the parameters and of the FLOPs: ops below it are left out of the text


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
            plain(f"{self.title} ({self.spec.group}), scale {self.spec.scale}: {self.source}"),
            f"{self.parameters:,} parameters, {self.flops / 1e6:.1f} MFLOPs forward per {shape} image "
            f"(2 per multiply-add), {self.spec.classes} classes",
        ]
        budget = FLOPS_BUDGET.get(self.spec.scale)
        if budget is not None and self.spec.model is None:
            low, high = (limit / 1e6 for limit in budget)
            side = IMAGE_SIDE[self.spec.scale]
            lines.append(f"budget of the scale: {low:g} to {high:g} MFLOPs per 3x{side}x{side} image")
        for cell, graph in self.topology.items():
            lines.append(
                f"{cell} cell: depth {graph.depth}, width {graph.width:g}, "
                f"{graph.skips} skips ({graph.skip_share:.0%} of the edges); "
                + ", ".join(f"{count} {op}" for op, count in graph.ops)
            )
        lines.append("parameters and FLOPs by op: " + self._shares())
        genotype = self.spec.genotype
        if genotype is not None:
            lines += ["", draw_text(genotype)]
        elif self.spec.model is None:
            lines += ["", describe_family(self.spec.name, self.spec.scale)]
        return plain_lines("\n".join(lines))

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
    """Where an architecture of the user's own comes from, and whose cells it has."""
    if choice.model is not None:
        return f"{choice.model.builder} {choice.model.target}"
    same = None if choice.genotype is None else same_cells(choice.genotype)
    return written if same is None else f"{written} (the same cells as {same})"


def hardened(study: StudySpec) -> list[Entry]:
    """The originals and the hardened architectures of a study, measured and not trained: what `--plan` says.

    Raises:
        InputError: the study cannot be run as asked.
    """
    planned = plan(study, DOWNLOADS)
    by_name = {variant.name: variant for variant in variants(study)}
    choices = (*study.architectures, *hardened_choices(study))
    entries = []
    # A plan has them first, in this order; what it has beyond them is the study's population.
    for choice, spec in zip(choices, planned.architectures, strict=False):
        variant = by_name.get(spec.name)
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
    notes += [plain(f"tried on each of them as it is: {', '.join(answers)}")] if answers else []
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
