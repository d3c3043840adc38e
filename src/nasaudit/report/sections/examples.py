"""Adversarial examples as pictures: the image, what the attack made of it, and the difference."""

from collections.abc import Iterator
from functools import partial

from nasaudit.report.evidence import Evidence, unique
from nasaudit.report.images import Images, Wanted, strip
from nasaudit.report.parts import Picture, Section, Text
from nasaudit.results.schema import Examples
from nasaudit.spec.attacks import attack_title
from nasaudit.spec.units import format_epsilon

SHOWN = 6  # images of a victim and its first attack
SHOWN_OF_OTHERS = 3  # and of each further attack
MOST_VICTIMS = 6  # where there are too many architectures to show each
OPEN_STRIPS = 4  # more are folded
WANTED = Wanted("adversarial", ("prediction", "epsilon"))
INTRODUCTION = (
    "Each picture shows an image, what the attack made of it, and the difference on grey, amplified. The epsilon is "
    "the smallest tried that fooled the model."
)


def section(evidence: Evidence) -> Section | None:
    """A strip for each victim and attack; of the seeds of an architecture, the first."""
    chosen: dict[tuple[str, str], Examples] = {}
    for entry in evidence.results.examples:
        chosen.setdefault((entry.architecture, entry.attack), entry)
    if not chosen:
        return None
    first_attacks = dict(reversed(chosen))
    victims = unique(architecture for architecture, _ in chosen)
    left = len(victims) - MOST_VICTIMS if evidence.crowded else 0
    left_out = ""
    if left > 0:
        chosen = {key: entry for key, entry in chosen.items() if key[0] in victims[:MOST_VICTIMS]}
        left_out = (
            f" Shown for the first architectures; those of the {left} others are in the study's folder."
        )
    strips = (
        strip(
            evidence,
            entry,
            f"{evidence.titles.get(victim, victim)}, seed {entry.seed}, attacked with {attack_title(attack)}",
            WANTED,
            partial(_draw, SHOWN if first_attacks[victim] == attack else SHOWN_OF_OTHERS),
            is_open=len(chosen) <= OPEN_STRIPS,
        )
        for (victim, attack), entry in chosen.items()
    )
    return Section.of("examples", "Adversarial examples", Text(INTRODUCTION + left_out, quiet=True), *strips)


def _draw(shown: int, images: Images) -> Iterator[Picture]:
    for k in range(min(shown, len(images.arrays["clean"]))):
        prediction = images.class_name("prediction", k)
        became = f"The same image after the attack, taken for a {prediction}"
        yield images.triple(
            k,
            "adversarial",
            ("Test image", became, "What the attack changed"),
            ("", images.class_name("label", k), " taken for ", prediction),
            f"epsilon {format_epsilon(float(images.arrays['epsilon'][k]))}",
        )
