"""docs/reference.md: every name and every field that can be set, as Markdown.

`python -m nasaudit.terminal.reference > docs/reference.md` writes the page anew; a test holds that it is in step.
"""

from collections.abc import Iterator, Sequence

from nasaudit.spec.attacks import FAMILIES
from nasaudit.terminal.plain import plain
from nasaudit.terminal.tables import DETAILED, Entry, details, entries

HEAD = """# Reference

Made by `python -m nasaudit.terminal.reference` from what the package says of itself; `nasaudit list attacks pgd`
prints the same of one name. Fields are set in a study's file. What all entries of a group share stands above them.
"""


def reference() -> str:
    """The page."""
    parts = [HEAD]
    attacks = [details("attacks", entry["name"]) for entry in entries("attacks")]
    for family, words in FAMILIES.items():
        of_family = [attack for attack in attacks if attack["family"] == family]
        parts += [f"## Attacks: {words.title}\n", *_group(of_family)]
    for what in DETAILED:
        if what != "attacks":
            named = [details(what, entry["name"]) for entry in entries(what)]
            parts += [f"## {what.capitalize()}\n", *_group(named)]
    parts += ["## Metrics\n", _table(entries("metrics"))]
    return "\n".join(parts)


def _group(named: Sequence[Entry]) -> Iterator[str]:
    first = named[0]["fields"]
    shared = [field for field in first if all(field in entry["fields"] for entry in named)]
    if shared:
        yield _table(shared)
    for entry in named:
        yield f"### {entry['name']}\n"
        said = {
            key: entry.get(key) for key in ("title", "summary", "threat_model", "source", "origin", "needs")
        }
        if entry["aliases"]:
            said["also"] = ", ".join(entry["aliases"])
        yield (
            "; ".join(f"{key.replace('_', ' ')}: {plain(text)}" for key, text in said.items() if text) + "\n"
        )
        own = [field for field in entry["fields"] if field not in shared]
        if own:
            yield _table(own)


def _table(rows: Sequence[Entry]) -> str:
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(value: object) -> str:
    return plain(value).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201
