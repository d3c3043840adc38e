"""Whether architectures that are compared were trained alike: a verdict on those that were not says so. No torch."""

from collections.abc import Callable, Collection, Iterable

from nasaudit.results.provenance import Provenance
from nasaudit.spec.study import StudySpec

# What is said of some architectures, by name; "" where they were trained alike.
Unlike = Callable[[Iterable[str]], str]


def find_unlike(study: StudySpec, provenance: Provenance, remedies: Collection[str]) -> Unlike:
    """How the architectures of a study were trained, as far as that is known.

    A remedy of the training is meant to be another recipe: it is compared with its original alone, as a remedy.

    Args:
        study: with the fields of the recipe in which an architecture differs.
        provenance: which ones came with weights, and whether it is known what these were trained on.
        remedies: names of hardened architectures.
    """
    own = {
        choice.name: ", ".join(sorted(choice.training))
        for choice in study.architectures
        if choice.training and choice.name not in remedies
    }

    def unlike(names: Iterable[str]) -> str:
        compared = list(names)
        if len(compared) < 2:
            return ""
        parts = []
        given = [name for name in compared if name in provenance.given]
        if given:
            parts.append(
                f"nobody says by which recipe {_listed(given)} was trained" + _images(given, provenance)
            )
        changed = [name for name in compared if name in own]
        if changed and (len(changed) < len(compared) or len({own[name] for name in changed}) > 1):
            parts.append(
                "the recipes differ: " + "; ".join(f"{name} has {own[name]} of its own" for name in changed)
            )
        return "; ".join(parts)

    return unlike


def _images(given: list[str], provenance: Provenance) -> str:
    return ", or on which images" if set(given) & set(provenance.doubtful) else ""


def _listed(names: list[str]) -> str:
    return " or ".join(names)
