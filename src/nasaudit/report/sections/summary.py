"""The top of the report: the threats, what the comparison says, flags, and each architecture in plain words."""

from collections import defaultdict
from dataclasses import dataclass

from nasaudit.report import format
from nasaudit.report.evidence import Evidence, Subject
from nasaudit.report.parts import Section
from nasaudit.report.sections import threats
from nasaudit.report.sections.cells import Drawing, drawings
from nasaudit.report.sections.comparison import findings
from nasaudit.report.sections.families.all import FAMILIES
from nasaudit.report.sections.remedies import section as remedies
from nasaudit.report.sections.remedies import words as remedy_words
from nasaudit.spec.attacks import ATLAS, OWASP

# A study of 17 architectures can raise dozens of flags of one kind; a list that is read has a line for each kind.
SHOWN_OF_A_KIND = 1
MOST_CARDS = 200  # architectures; of more than these nobody reads a card each
# And one of 100 architectures thousands, of which a page for people does not hold all.
FOLDED_OF_A_KIND = 40


@dataclass(frozen=True)
class Card:
    """One architecture in plain words."""

    subject: Subject
    sentences: tuple[str, ...]
    drawings: tuple[Drawing, ...]


@dataclass(frozen=True)
class Notice:
    """A line of the box at the top; `folded` are more of its kind, shown when asked for."""

    message: str
    target: str = ""  # anchor of the section with the details
    folded: tuple[str, ...] = ()
    left: int = 0  # and so many are in the file of results alone


def section(evidence: Evidence) -> Section:
    """The threats, what the comparison says, flags, and each architecture in plain words."""
    picture = threats.figure(evidence)
    return Section(
        "verdict",
        "Verdict",
        "summary.html.j2",
        {
            "notices": notices(evidence),
            # What each family's headline says of the architectures, side by side.
            "findings": [finding for family in FAMILIES for finding in findings(evidence, family)],
            "lines": threats.lines(evidence),
            "heads": threats.heads(evidence),
            "picture": picture,
            "lists": f"{ATLAS} and {OWASP}",
            "listed": threats.listed(evidence),
            "remedies": remedy_words.summary(remedies.hardenings(evidence)),
            "cards": [_card(evidence, subject) for subject in evidence.subjects]
            if len(evidence.subjects) <= MOST_CARDS
            else [],
        },
        () if picture is None else (picture,),
    )


def notices(evidence: Evidence) -> list[Notice]:
    """The study's flags by kind, and a line for its failures if no flag speaks of them."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    names = {*evidence.titles, *(attack.name for attack in evidence.results.study.attacks)}
    for flag in evidence.results.flags:
        # A name is written as it is, also where it begins a sentence.
        named = flag.message.partition(" ")[0] in names
        by_kind[flag.kind].append(flag.message if named else format.first_up(flag.message))
    lines = []
    for kind, messages in by_kind.items():
        target = "failures" if kind == "failed_task" and evidence.results.failures else ""
        *first, last = messages[:SHOWN_OF_A_KIND]
        lines += [Notice(message, target) for message in first]
        rest = messages[SHOWN_OF_A_KIND:]
        left = max(len(rest) - FOLDED_OF_A_KIND, 0)
        lines.append(Notice(last, target, tuple(rest[:FOLDED_OF_A_KIND]), left))
    count = len(evidence.results.failures)
    if count and "failed_task" not in by_kind:
        tasks = "1 task failed" if count == 1 else f"{count} tasks failed"
        lines.append(Notice(f"{tasks}; the results below are without it", "failures"))
    return lines


def _card(evidence: Evidence, subject: Subject) -> Card:
    accuracy = evidence.accuracy(subject.name)
    if accuracy is None:
        sentences = ["Its accuracy was not measured."]
    else:
        doubt = ", which it may have been trained on" if subject.name in evidence.doubtful else ""
        sentences = [f"It classifies {format.estimate(accuracy, 'of the test images correctly')}{doubt}."]
    quotes = [family.quote(evidence, subject) for family in FAMILIES]
    attacked = [quote for quote in quotes if quote]
    if not attacked and any(
        row.architecture == subject.name for family in FAMILIES for row in evidence.of_family(family.name)
    ):
        attacked = ["What attacks on it did stands below: it is not what its family is judged by."]
    sentences += attacked or ["No attack on it was measured."]
    pictures = () if evidence.crowded else drawings(evidence, subject)
    return Card(subject, tuple(sentences), pictures)
