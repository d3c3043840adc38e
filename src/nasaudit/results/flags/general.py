"""Flags that hold for any study: failures, accuracies, replicates, versions."""

from collections.abc import Iterator
from itertools import combinations

from nasaudit.results.flags.base import Check, Facts, Remark
from nasaudit.results.replicates import subject_of

ACCURACY_GAP = 0.02  # vulnerability and accuracy are confounded beyond this difference
FEW_SEEDS = 3
MOST_PAIRED = 300  # architectures of which each pair is compared by accuracy
FEW_COMMON_IMAGES = 50
# What to look at when a network that should know its data does not.
WIRING = (
    "check how it wants its pixels (--normalise), whether its classes come in the order of the data's, and whether "
    "these are the images that it is for"
)
# Accuracy that the default recipes reach with every architecture; elsewhere twice chance is asked for.
ACCURACY_FLOOR = {"mnist5k": 0.95, "digits": 0.9}
# Of the images that a victim learned, by trial at mini: with fewer right it has not learned them (underfit).
TRAIN_FLOOR = 0.75


def failed_task(facts: Facts) -> Iterator[Remark]:
    """A task that left no result."""
    tasks = {task.digest(): task for task in facts.planned.tasks}
    for failure in facts.failures:
        task = tasks.get(failure.digest)
        subject = None if task is None else subject_of(task)
        yield Remark(
            f"{failure.label} failed ({failure.type}: {failure.message}); its figures are missing",
            () if subject is None else (subject.architecture.name,),
        )


def accuracy_gap(facts: Facts) -> Iterator[Remark]:
    """Two architectures whose comparison says as much about accuracy as about vulnerability."""
    accuracies = facts.accuracies()
    if len(accuracies) > MOST_PAIRED:  # the pairs are a square of them
        worst, best = min(accuracies, key=accuracies.__getitem__), max(accuracies, key=accuracies.__getitem__)
        if accuracies[best] - accuracies[worst] > ACCURACY_GAP:
            yield Remark(
                f"the clean accuracies of the {len(accuracies)} architectures lie between "
                f"{accuracies[worst]:.1%} ({worst}) and {accuracies[best]:.1%} ({best}), so differences in "
                "vulnerability between them may come from that",
                (worst, best),
            )
        return
    for (first, accuracy), (second, other) in combinations(accuracies.items(), 2):
        if abs(accuracy - other) > ACCURACY_GAP:
            yield Remark(
                f"{first} ({accuracy:.1%} accurate) and {second} ({other:.1%}) differ by more than "
                f"{ACCURACY_GAP * 100:.0f} points of clean accuracy, so a difference in vulnerability "
                "between them may come from that",
                (first, second),
            )


def unknown_split(facts: Facts) -> Iterator[Remark]:
    """Weights that may have been trained on the very images that they are tested on."""
    if facts.planned.data.division == "unknown":
        for victim in facts.planned.victims:
            if victim.weights is not None:
                name = victim.architecture.name
                yield Remark(
                    f"the test images may have been trained on by {name}, as nobody says which ones it learned: its "
                    "accuracy may be too high, and what attacks do to it too little; say it with --train-index or "
                    "--test-index, or bring data with a test part",
                    (name,),
                )


def undertrained(facts: Facts) -> Iterator[Remark]:
    """A victim whose accuracy is so low that attacking it says little."""
    name = facts.planned.data.name
    given = {victim.architecture.name for victim in facts.planned.victims if victim.weights is not None}
    rows = {row.architecture: row for row in facts.pooled("training", "clean_accuracy")}
    for architecture in facts.planned.architectures:
        floor = ACCURACY_FLOOR.get(name, min(1.0, 2 / architecture.classes))
        row = rows.get(architecture.name)
        if row is None or row.value >= floor:
            continue
        advice = "train it longer before comparing it"
        if architecture.name in given:
            advice = WIRING
        elif row.low <= 1 / architecture.classes:
            advice = f"{WIRING}; then {advice}"
        yield Remark(
            f"{architecture.name} is {row.value:.1%} accurate on {facts.planned.data.label}, where at least "
            f"{floor:.0%} is expected: {advice}",
            (architecture.name,),
        )


def underfit(facts: Facts) -> Iterator[Remark]:
    """A victim that gets many of its own training images wrong: attacks on what it learned find little."""
    membership = set(facts.measured("membership"))
    for row in facts.pooled("training", "train_accuracy"):
        if row.value < TRAIN_FLOOR:
            said = ": membership says little" if row.architecture in membership else ""
            yield Remark(
                f"{row.architecture} gets {row.value:.0%} of its training images right (train accuracy "
                f"{f'{row.value:.2f}'.removeprefix('0')}{said}); it is underfit, train it longer",
                (row.architecture,),
            )


def batch_in_parts(facts: Facts) -> Iterator[Remark]:
    """A victim whose batches did not fit into the memory: batch normalisation saw fewer images at once."""
    for row in facts.pooled("training", "batch_parts"):
        yield Remark(
            f"the batches of {row.architecture} did not fit into the memory, and were learned from in "
            f"{row.value:.0f} parts: its figures may differ from those of a machine with more; lower "
            "training.batch_size for all",
            (row.architecture,),
        )


def few_seeds(facts: Facts) -> Iterator[Remark]:
    """Too few replicates to know how much is luck; of weights that were given there is one."""
    seeds = len(facts.planned.study.seeds)
    trained = any(victim.weights is None for victim in facts.planned.victims)
    if seeds < FEW_SEEDS and trained:
        yield Remark(
            f"{seeds} training seed{'s' * (seeds > 1)} for each architecture: the intervals say little "
            f"of how results vary from training to training; use at least {FEW_SEEDS}"
        )


def few_images(facts: Facts) -> Iterator[Remark]:
    """An attack that had fewer images than were asked for."""
    for attack in facts.planned.study.attacks:
        asked = getattr(attack, "images", None)
        used = [
            row.n
            for row in facts.rows
            if row.attack == attack.name and row.seed != "all" and row.setting.get("images") == "all"
        ]
        if asked is not None and used and min(used) < asked:
            yield Remark(
                f"{attack.name} was asked for {asked} images and had {min(used)}: the intervals are wider"
            )


def few_common_images(facts: Facts) -> Iterator[Remark]:
    """Rates on the images that every model gets right rest on few of them."""
    if facts.planned.study.attacks and facts.accuracies() and facts.common < FEW_COMMON_IMAGES:
        yield Remark(f"only {facts.common} test images are classified correctly by every model")


def picked_on_test(facts: Facts) -> Iterator[Remark]:
    """Protocol `paper` chooses the best epoch on the data that it reports."""
    if facts.planned.training.keep == "best_test":
        yield Remark("the epoch was picked on test data, as published: clean accuracies are too high")


def mixed_versions(facts: Facts) -> Iterator[Remark]:
    """Records that different code or hardware made."""
    for part in ("nasaudit", "torch", "device"):
        # `cuda:0` and `cuda:1` are one kind of device.
        versions = {record.versions.get(part, "").partition(":")[0] for record in facts.records.values()}
        if len(versions - {""}) > 1:
            yield Remark(f"the records were made with different {part}: {', '.join(sorted(versions - {''}))}")


CHECKS: tuple[Check, ...] = (
    failed_task,
    accuracy_gap,
    undertrained,
    unknown_split,
    underfit,
    batch_in_parts,
    few_seeds,
    few_images,
    few_common_images,
    picked_on_test,
    mixed_versions,
)
