"""A study of a search from the words of a command line."""

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from nasaudit.data.catalogue import settle
from nasaudit.documents import parse_yaml
from nasaudit.errors import SpecError
from nasaudit.randomness import derive_seed
from nasaudit.search.constrained import draw_within
from nasaudit.spec.analyses import analyses_for
from nasaudit.spec.arch import Protocol, Scale
from nasaudit.spec.attacks.choice import attacks_for
from nasaudit.spec.data import DataSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.named import ByName
from nasaudit.spec.searches import SEARCHES, OneShotSpec, SampledSpec, SearchSpec
from nasaudit.spec.searches.constraints import Constraints
from nasaudit.spec.study import StudySpec

MOST_TRIES = 1000  # draws for each random cell, of a space that is nearly used up


def make_search(
    method: str,
    space: str | None,
    settings: Iterable[str],
    *,
    objectives: Sequence[str] = (),
    beside_plain: bool = False,
    searches: int,
    random_cells: int,
    data: DataSpec,
    scale: Scale,
    protocol: Protocol,
    attacks: Sequence[str],
    seeds: int,
    analyses: Sequence[str],
) -> StudySpec:
    """The study that `search` runs; what is not described here is as in `make_study`.

    Args:
        method: name of a search.
        space: name of a space, or a YAML file; None: the method's own.
        settings: `FIELD=VALUE` of the search.
        objectives: what children are judged by; none: accuracy.
        beside_plain: whether the same search runs by accuracy alone, or without levers, too: at equal cost.
        searches: how often it is run, with seeds from 0 on.
        random_cells: how many cells of the same space are drawn to compare with.
        data: the images.
        scale: of search and audit.
        protocol: `paper` halves the images as the methods' authors did.
        attacks: names.
        seeds: how many training seeds.
        analyses: names.

    Raises:
        InputError: something is unknown or wrong.
    """
    values: dict[str, Any] = {"name": method}
    for setting in settings:
        field, sign, text = setting.partition("=")
        if not sign or not field:
            raise SpecError("--set", "FIELD=VALUE, as in epochs=25", setting)
        values[field], _ = parse_yaml(text, "--set")
    if space is not None:
        values["space"] = space
    if objectives:
        values["objectives"] = tuple(objectives)
    spec = ByName(SEARCHES)(values)
    random = Random(derive_seed("random cells", data.seed))
    drawn: dict[Genotype | str, None] = {}
    tries = 0
    while len(drawn) < random_cells:
        drawn.setdefault(draw_within(spec.space, getattr(spec, "constraints", Constraints()), random))
        tries += 1
        if tries > MOST_TRIES * random_cells:
            raise SpecError("random_cells", f"at most {len(drawn)}, the cells of the space", random_cells)
    specs = [spec, *([plain(spec)] if beside_plain else [])]
    choices: list[dict[str, Any]] = [
        {"search": each, "seed": seed} for each in specs for seed in range(searches)
    ]
    choices += [
        {
            "name": f"random-{number}",
            "group": "random",
            **({"genotype": cells} if isinstance(cells, Genotype) else {"model": cells}),
        }
        for number, cells in enumerate(drawn)
    ]
    return StudySpec.parse(
        {
            "name": f"{spec.name} on {data.label[:16]}",
            "architectures": choices,
            "data": settle(data),
            "scale": scale,
            "protocol": protocol,
            "seeds": tuple(range(seeds)),
            "attacks": attacks_for(attacks, protocol, scale),
            "analyses": analyses_for(analyses),
        },
        where="search",
    )


def plain(spec: SearchSpec) -> SearchSpec:
    """The same search by accuracy alone, or without levers, at equal cost: children, epochs, cells to audit.

    Raises:
        SpecError: it is plain.
    """
    if isinstance(spec, OneShotSpec) and spec.secure:
        return spec.as_published
    if not isinstance(spec, SampledSpec) or not spec.secure:
        raise SpecError(
            "--beside-plain",
            "several objectives (--objective accuracy,evasion) or a lever (--set skip_weight=0.5)",
            spec.name,
        )
    kept = spec.model_dump(exclude={"objectives"}, exclude_unset=True)
    return type(spec).parse({**kept, "name": spec.name, "front": spec.audited})
