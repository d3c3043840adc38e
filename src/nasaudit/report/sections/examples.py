"""Adversarial examples as pictures: the image, what the attack made of it, and the difference."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, unique
from nasaudit.report.images import data_uri, magnified, to_bytes
from nasaudit.report.parts import Section
from nasaudit.report.sections.families.evasion_threat import attack_title
from nasaudit.results.schema import Examples
from nasaudit.spec.units import format_epsilon

SHOWN = 6  # images of a victim and its first attack
SHOWN_OF_OTHERS = 3  # and of each further attack
MOST_VICTIMS = 6  # where there are too many architectures to show each


@dataclass(frozen=True)
class Example:
    """One image in three pictures (data URIs) with what the victim says of it."""

    index: int
    label: str
    prediction: str
    epsilon: str
    gain: str
    clean: str
    adversarial: str
    difference: str


@dataclass(frozen=True)
class Strip:
    """The examples of one victim; `missing` says why there are none."""

    title: str
    examples: tuple[Example, ...]
    missing: str = ""


def section(evidence: Evidence) -> Section | None:
    """A strip for each victim and attack; of the seeds of an architecture, the first."""
    chosen: dict[tuple[str, str], Examples] = {}
    for entry in evidence.results.examples:
        chosen.setdefault((entry.architecture, entry.attack), entry)
    if not chosen:
        return None
    first = dict(reversed(chosen))
    victims = unique(architecture for architecture, _ in chosen)
    left = len(victims) - MOST_VICTIMS if evidence.crowded else 0
    if left > 0:
        chosen = {key: entry for key, entry in chosen.items() if key[0] in victims[:MOST_VICTIMS]}
    strips = [
        _strip(evidence, entry, SHOWN if first[architecture] == attack else SHOWN_OF_OTHERS)
        for (architecture, attack), entry in chosen.items()
    ]
    return Section(
        "examples", "Adversarial examples", "examples.html.j2", {"strips": strips, "left": max(left, 0)}
    )


def _strip(evidence: Evidence, entry: Examples, shown: int) -> Strip:
    victim = evidence.titles.get(entry.architecture, entry.architecture)
    title = f"{victim}, seed {entry.seed}, attacked with {attack_title(entry.attack)}"
    missing = evidence.missing(entry.file)
    if missing:
        return Strip(title, (), missing)
    return Strip(title, tuple(_read(evidence.folder / entry.file, evidence.results.class_names, shown)))


def _read(path: Path, class_names: list[str], shown: int) -> list[Example]:
    with np.load(path, allow_pickle=False) as arrays:
        clean, adversarial = arrays["clean"], arrays["adversarial"]
        index, label = arrays["index"], arrays["label"]
        prediction, epsilon = arrays["prediction"], arrays["epsilon"]
    examples = []
    for k in range(min(shown, len(clean))):
        gain, difference = magnified(adversarial[k].astype(np.float64) - clean[k] / 255)
        examples.append(
            Example(
                index=int(index[k]),
                label=format.class_name(class_names, int(label[k])),
                prediction=format.class_name(class_names, int(prediction[k])),
                epsilon=format_epsilon(float(epsilon[k])),
                gain=gain,
                clean=data_uri(clean[k]),
                adversarial=data_uri(to_bytes(adversarial[k])),
                difference=difference,
            )
        )
    return examples
