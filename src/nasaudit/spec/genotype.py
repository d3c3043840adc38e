"""Genotypes: the cells that a search space spans, as plain data.

A cell reads two inputs, numbered 0 (the cell before the previous) and 1 (the previous); its nodes are
numbered from 2, and each adds up its edges. The cell's output concatenates the nodes in `concat`.
Format of the text form: Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019.
"""

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import model_validator

from nasaudit.documents import parse_json
from nasaudit.errors import GenotypeError, InputError, UnknownNameError
from nasaudit.spec.base import Spec
from nasaudit.strangers import is_file, read_text

CELL_INPUTS = 2
# Of a cell. Published cells have 4 or 5 nodes; a network of thousands is built and drawn for hours.
MAX_NODES = 50
MAX_EDGES = 1000
DARTS_FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")  # in the order of DARTS' named tuple
MAX_TEXT = 100_000  # characters of the text form

SKIP = "skip_connect"
OPS: tuple[str, ...] = (
    "none",
    SKIP,
    "max_pool_3x3",
    "avg_pool_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "sep_conv_7x7",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "conv_7x1_1x7",
)


class Edge(NamedTuple):
    """An op applied to the output of an earlier node (or of a cell input)."""

    op: str
    source: int


Node = tuple[Edge, ...]


class Cell(Spec):
    """One directed acyclic graph of ops. `nodes[k]` is node `k + 2`; its edges read lower numbers only."""

    nodes: tuple[Node, ...]
    concat: tuple[int, ...]

    @model_validator(mode="before")
    @classmethod
    def _check(cls, values: Any) -> Any:
        """Check by hand, so that a message names the position and what was expected there."""
        if isinstance(values, Cell):
            return values
        if not isinstance(values, Mapping) or "nodes" not in values:
            raise GenotypeError("", "a mapping with `nodes` and `concat`", values)
        nodes = _sequence("nodes", values["nodes"], "a list of nodes, each a list of edges")
        if not 1 <= len(nodes) <= MAX_NODES:
            raise GenotypeError("nodes", f"1 to {MAX_NODES} nodes", len(nodes))
        edges = sum(len(node) for node in nodes if isinstance(node, Sequence))
        if edges > MAX_EDGES:
            raise GenotypeError("nodes", f"at most {MAX_EDGES} edges", edges)
        checked = tuple(_node(f"nodes[{k}]", node, last=k + CELL_INPUTS - 1) for k, node in enumerate(nodes))
        if "concat" not in values:
            raise GenotypeError("concat", "the list of nodes that make the output", None)
        concat = tuple(_sequence("concat", values["concat"], "a list of node numbers"))
        highest = len(nodes) + CELL_INPUTS - 1
        for position, node in enumerate(concat):
            if type(node) is not int or not 0 <= node <= highest:
                raise GenotypeError(f"concat[{position}]", f"a node number from 0 to {highest}", node)
        if not concat or len(set(concat)) != len(concat):
            raise GenotypeError("concat", "at least one node, each once", list(concat))
        return {**values, "nodes": checked, "concat": concat}

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All edges in node order."""
        return tuple(edge for node in self.nodes for edge in node)


class Genotype(Spec):
    """The normal cell, which keeps the resolution, and the reduction cell, which halves it."""

    normal: Cell
    reduction: Cell

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Parse the DARTS text form, `Genotype(normal=[('sep_conv_3x3', 0), ...], normal_concat=..., ...)`.

        The text is parsed, never evaluated. Raises GenotypeError with the position.
        """
        if len(text) > MAX_TEXT:
            raise GenotypeError("(text)", f"at most {MAX_TEXT} characters", len(text))
        form = "the form Genotype(normal=[...], ...)"
        try:
            call = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise GenotypeError("(text)", form, text[:80]) from error
        if not isinstance(call, ast.Call):
            raise GenotypeError("(text)", form, text[:80])
        return cls._from_call(call)

    @classmethod
    def _from_call(cls, call: ast.Call) -> Self:
        """Of the arguments of a call, which is read and not made; those without a name are in DARTS' order."""
        if len(call.args) > len(DARTS_FIELDS):
            raise GenotypeError("(text)", f"at most {len(DARTS_FIELDS)} arguments", len(call.args))
        arguments = [
            *zip(DARTS_FIELDS, call.args, strict=False),
            *((str(keyword.arg), keyword.value) for keyword in call.keywords),
        ]
        return cls.from_darts({name: _literal(name, value) for name, value in arguments})

    @classmethod
    def assigned(cls, text: str) -> Self | None:
        """The genotype that `file.py:NAME` is assigned, or the only one of `file.py`; the file is read and never run.

        None where the text is no such thing: it may be the name of code.

        Raises:
            UnknownNameError: the file assigns genotypes, and the name is none of its names.
            GenotypeError: what the name is assigned does not describe a genotype; or several are assigned, without a
                name.
            InputError: the file cannot be read.
        """
        place, _, name = text.rpartition(":") if not text.endswith(".py") else (text, "", "")
        if not place.endswith(".py") or not is_file(Path(place)):
            return None
        calls, others = _assignments(read_text(Path(place), InputError))
        if not calls or name in others:
            return None
        if not name and len(calls) > 1:
            raise GenotypeError(
                "genotype", f"one of its names, as in {place}:{next(iter(calls))}", list(calls)
            )
        if name and name not in calls:
            raise UnknownNameError(f"genotype of {place}", name, calls)
        return cls._from_call(calls[name or next(iter(calls))])

    @classmethod
    def from_darts(cls, fields: Mapping[str, Any]) -> Self:
        """Read the flat DARTS fields (`normal`, `normal_concat`, `reduce`, `reduce_concat`), two edges a node."""
        cells = {}
        for name, key in (("normal", "normal"), ("reduction", "reduce")):
            for required in (key, f"{key}_concat"):
                if required not in fields:
                    raise GenotypeError(required, "this field to be present", sorted(fields))
            flat = _sequence(key, fields[key], "a flat list of (op, source) pairs")
            if len(flat) % 2:
                raise GenotypeError(key, "an even number of edges, two for each node", len(flat))
            nodes = [flat[k : k + 2] for k in range(0, len(flat), 2)]
            cells[name] = {"nodes": nodes, "concat": fields[f"{key}_concat"]}
        return cls.from_json(cells)

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Read a parsed JSON value: the form that `model_dump` writes, or the flat DARTS fields."""
        if not isinstance(values, Mapping):
            raise GenotypeError("(whole)", "a mapping with `normal` and `reduction`", values)
        if "reduce" in values:
            return cls.from_darts(values)
        for name in ("normal", "reduction"):
            if name not in values:
                raise GenotypeError(name, "this cell to be present", sorted(map(str, values)))
        return cls.parse(dict(values))

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read a file that holds either JSON or the DARTS text form.

        Raises:
            InputError: the file cannot be read, or does not hold a genotype.
        """
        text = read_text(path, InputError)
        return cls.from_json(parse_json(text, str(path))) if path.suffix == ".json" else cls.from_text(text)

    @classmethod
    def read(cls, value: Any) -> Any:
        """Whatever form a user wrote it in: DARTS text, a Python file with it, flat fields or nested JSON."""
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and (genotype := cls.assigned(value)) is not None:
            return genotype
        return cls.from_text(value) if isinstance(value, str) else cls.from_json(value)

    def to_text(self) -> str:
        """The DARTS text form; needs two edges at each node."""
        parts = []
        for key, cell in (("normal", self.normal), ("reduce", self.reduction)):
            for k, node in enumerate(cell.nodes):
                if len(node) != 2:
                    raise GenotypeError(f"{key}.nodes[{k}]", "two edges (the DARTS text form)", len(node))
            parts.append(f"{key}={[tuple(edge) for edge in cell.edges]}, {key}_concat={list(cell.concat)}")
        return f"Genotype({', '.join(parts)})"


def _sequence(field: str, value: Any, expected: str) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise GenotypeError(field, expected, value)
    return value


def _node(field: str, node: Any, last: int) -> Node:
    edges = _sequence(field, node, "a list of (op, source) edges")
    if not edges:
        raise GenotypeError(field, "at least one edge", node)
    return tuple(_edge(f"{field}[{position}]", edge, last) for position, edge in enumerate(edges))


def _edge(field: str, edge: Any, last: int) -> Edge:
    if not isinstance(edge, Sequence) or isinstance(edge, str) or len(edge) != 2:
        raise GenotypeError(field, "a pair (op, source)", edge)
    op, source = edge
    if op not in OPS:
        raise GenotypeError(f"{field}.op", f"one of {', '.join(OPS)}", op)
    if type(source) is not int or not 0 <= source <= last:
        raise GenotypeError(f"{field}.source", f"an earlier node, 0 to {last}", source)
    return Edge(op, source)


def _assignments(text: str) -> tuple[dict[str, ast.Call], set[str]]:
    """What Python code assigns at its top level: calls of `Genotype` by name, and the names of all else.

    A name that is assigned another such name (`DARTS = DARTS_V2`) has its call. Text that is not Python has nothing.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}, set()
    calls: dict[str, ast.Call] = {}
    others: set[str] = set()
    for statement in statements:
        match statement:
            case ast.Assign(targets=targets, value=value):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                names = [name]
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names, value = [name], None
            case ast.ImportFrom(names=imported) | ast.Import(names=imported):
                names, value = [alias.asname or alias.name for alias in imported], None
            case _:
                continue
        match value:
            case ast.Call(func=ast.Name(id="Genotype") | ast.Attribute(attr="Genotype")):
                calls |= dict.fromkeys(names, value)
            case ast.Name(id=other) if other in calls:
                calls |= dict.fromkeys(names, calls[other])
            case _:
                others.update(names)
                continue
        others.difference_update(names)
    return {name: call for name, call in calls.items() if name not in others}, others


def _literal(field: str, node: ast.expr) -> Any:
    """A literal, or `range(a, b)` of literals, which the published genotypes use for concat."""
    try:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
            bounds = [ast.literal_eval(argument) for argument in node.args]
            if not all(type(bound) is int and abs(bound) < 1000 for bound in bounds):
                raise ValueError("bounds")
            return list(range(*bounds))
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError) as error:
        raise GenotypeError(field, "literal pairs (op, source) or a range", ast.unparse(node)[:80]) from error
