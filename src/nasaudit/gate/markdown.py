"""Verdicts of a gate as Markdown, as a CI service shows it beside a run (GitHub: $GITHUB_STEP_SUMMARY). No torch."""

from nasaudit.gate.judge import Gate, written

SPECIAL = frozenset("\\`*_{}[]<>#|~&!")


def to_markdown(gate: Gate) -> str:
    """A headline, a table of all verdicts with the broken ones first, the notes, and what was judged."""
    titles = {verdict.rule for verdict in gate.verdicts}
    broken = {verdict.rule for verdict in gate.broken}
    head = f"{len(broken)} of {len(titles)} rules are broken" if broken else f"All {len(titles)} rules hold"
    compared = any(verdict.difference is not None for verdict in gate.verdicts)
    columns = ["", "rule", "architecture", "measured", *(["difference"] if compared else []), "wanted", "why"]
    lines = [f"## nasaudit: {head}", "", _row(columns), _row(["---"] * len(columns), plain=False)]
    for verdict in sorted(gate.verdicts, key=lambda verdict: verdict.holds):
        difference = "" if verdict.difference is None else written(verdict.difference)
        cells = [
            "holds" if verdict.holds else "BROKEN",
            verdict.rule,
            verdict.architecture,
            f"{written(verdict.measured)} (n = {verdict.n})",
            *([difference] if compared else []),
            verdict.demand,
            verdict.message,
        ]
        lines.append(_row(cells))
    if gate.notes:
        lines += ["", "Before this is believed:", "", *(f"- {_escaped(note)}" for note in gate.notes)]
    if gate.origin:
        about = [_row(["what was judged", ""]), _row(["---", "---"], plain=False)]
        about += [_row([key, text]) for key, text in gate.origin.items()]
        lines += ["", "<details><summary>Origin</summary>", "", *about, "", "</details>"]
    return "\n".join(lines) + "\n"


def _row(cells: list[str], *, plain: bool = True) -> str:
    return f"| {' | '.join(map(_escaped, cells) if plain else cells)} |"


def _escaped(text: str) -> str:
    """Names of others as text: neither a link nor HTML, and no end of a cell or line."""
    return "".join(
        f"\\{letter}" if letter in SPECIAL else letter if letter.isprintable() else "?" for letter in text
    )
