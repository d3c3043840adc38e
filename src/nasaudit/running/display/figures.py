"""The one figure of a finished task that says most, so that whoever watches a run sees results come in."""

from collections.abc import Mapping

from nasaudit.measure.estimate import Estimate
from nasaudit.store.records import Record

# Of each kind of task the metric, and what it is called beside its value; of several settings the last.
FIGURES: Mapping[str, tuple[str, str]] = {
    "train": ("clean_accuracy", "test accuracy"),
    "evasion": ("median_minimal_epsilon", "half of the images fall by"),
    "poisoning": ("cad", "accuracy lost"),
    "backdoor": ("asr", "triggered images that obey"),
    "extraction": ("agreement", "answers of the copy that agree"),
    "membership": ("auc", "AUC of telling members"),
}


def figure(record: Record) -> str:
    """E.g. `test accuracy 97.7% [96.9%, 98.3%]`; "" for tasks without such a figure."""
    estimate = headline(record)
    return "" if estimate is None else f"{FIGURES[record.kind][1]} {in_words(estimate)}"


def headline(record: Record) -> Estimate | None:
    """The same as a value with its interval; None for tasks without such a figure."""
    metric, _ = FIGURES.get(record.kind, ("", ""))
    estimates = [each.estimate for each in record.measurements if each.metric == metric]
    return estimates[-1] if estimates else None


def in_words(estimate: Estimate) -> str:
    """E.g. `at least 97.7% [96.9%, 98.3%]`."""
    bound = {"lower": "at least ", "upper": "at most ", None: ""}[estimate.bound]
    low, value, high = (_said(number, estimate) for number in (estimate.low, estimate.value, estimate.high))
    return f"{bound}{value}" + ("" if low == high else f" [{low}, {high}]")


def _said(number: float, estimate: Estimate) -> str:
    if estimate.unit == "fraction":
        return f"{number:.1%}"
    return f"{number * 255:.3g}/255" if estimate.unit == "pixel fraction" else f"{number:.3g}"
