"""The one place where numbers become words. Fractions become percents here and nowhere else."""

from collections.abc import Mapping

from nasaudit.measure.catalogue import metric_of
from nasaudit.results.schema import Row

MOST_LISTED = 24  # words in a sentence
NBSP = "\N{NO-BREAK SPACE}"  # keeps a number and its unit on one line
INTERVAL = f"95{NBSP}% interval"
# Before a value that is a bound.
WORDS: Mapping[str, str] = {"lower": "more than", "upper": "less than"}
SIGNS: Mapping[str, str] = {"lower": ">", "upper": "<"}
LIMITS: Mapping[str, str] = {"lower": "\N{GREATER-THAN OR EQUAL TO}", "upper": "\N{LESS-THAN OR EQUAL TO}"}
UNITS = {"percent": f"{NBSP}%", "points": f"{NBSP}points"}  # of numbers that are shown so


def percent(share: float) -> str:
    """A share as a percentage with one decimal.

    >>> percent(0.4149).replace(NBSP, " ")
    '41.5 %'
    """
    return f"{hundredths(share)}{NBSP}%"


def round_percent(share: str) -> str:
    """A share that a person chose, as it was written: `40 %`, not `40.0 %`.

    >>> round_percent("0.4").replace(NBSP, " "), round_percent("0.001").replace(NBSP, " ")
    ('40 %', '0.1 %')
    """
    return f"{significant(100 * float(share))}{NBSP}%"


def points(difference: float) -> str:
    """The size of a difference of two shares, in percentage points.

    >>> points(-0.113).replace(NBSP, " ")
    '11.3 points'
    """
    return f"{hundredths(abs(difference))}{NBSP}points"


def hundredths(share: float) -> str:
    """A share, or a difference of shares, times 100 with one decimal; zero has no sign.

    >>> hundredths(0.4149), hundredths(-0.0004)
    ('41.5', '0.0')
    """
    return f"{round(100 * share, 1) + 0.0:.1f}"


def in_points(metric: str, unit: str) -> bool:
    """Whether differences of this measure are said in percentage points."""
    return metric_of(metric, unit).shown in UNITS


def amount(number: float, metric: str, unit: str) -> str:
    """The size of a value or a difference, in the unit it is said in, without that unit: points, or a plain number.

    >>> amount(0.1234, "asr", "fraction"), amount(0.1234, "curve_area", "fraction"), amount(-0.51, "kl", "nats")
    ('12.3', '0.123', '-0.51')
    """
    if in_points(metric, unit):
        return hundredths(number)
    return f"{number:.3f}" if metric_of(metric, unit).shown == "decimal" else significant(number)


def quantity(number: float, metric: str, unit: str) -> str:
    """A value that is no row's, such as a mean over architectures, in its unit."""
    return amount(number, metric, unit) + UNITS.get(metric_of(metric, unit).shown, "")


def change(difference: float, metric: str, unit: str) -> str:
    """A difference with its sign.

    >>> change(-0.113, "asr", "fraction").replace(NBSP, " "), change(0.0214, "curve_area", "fraction")
    ('-11.3 points', '+0.021')
    """
    return _signed(difference, metric, unit) + (f"{NBSP}points" if in_points(metric, unit) else "")


def changed(value: float, low: float, high: float, metric: str, unit: str) -> str:
    """A difference with its interval, all with their signs.

    >>> changed(-0.003, -0.009, 0.004, "clean_accuracy", "fraction").replace(NBSP, " ")
    '-0.3 points [-0.9, +0.4]'
    """
    return f"{change(value, metric, unit)} {ends(low, high, metric, unit)}"


def ends(low: float, high: float, metric: str, unit: str) -> str:
    """The interval of a difference, both ends with their signs, without a unit.

    >>> ends(-0.009, 0.0, "asr", "fraction").replace(NBSP, " ")
    '[-0.9, 0.0]'
    """
    return f"[{_signed(low, metric, unit)},{NBSP}{_signed(high, metric, unit)}]"


def _signed(difference: float, metric: str, unit: str) -> str:
    return ("+" if difference > 0 else "") + amount(difference, metric, unit)


def from_to(before: float, after: float, metric: str, unit: str) -> str:
    """A value before and after, with the unit once.

    >>> from_to(0.623, 0.572, "agreement", "fraction").replace(NBSP, " ")
    '62.3 \N{RIGHTWARDS ARROW} 57.2 %'
    """
    first, second = (quantity(value, metric, unit) for value in (before, after))
    number, space, _ = first.rpartition(NBSP)
    return f"{number if space else first} \N{RIGHTWARDS ARROW} {second}"


def size(difference: float, metric: str, unit: str) -> str:
    """How large a difference is, without its sign.

    >>> size(-0.113, "asr", "fraction").replace(NBSP, " ")
    '11.3 points'
    """
    return change(abs(difference), metric, unit).removeprefix("+")


def first_up(text: str) -> str:
    """The text with a capital letter at its beginning, the others as they are."""
    return text[:1].upper() + text[1:]


def p_value(p: float) -> str:
    """A p-value; the small ones by their order.

    >>> p_value(0.03127), p_value(0.00002)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def whole(count: float) -> str:
    """A count with thousands separated.

    >>> whole(3169414)
    '3,169,414'
    """
    return f"{round(count):,}"


def significant(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, without an exponent where that can be read.

    >>> significant(0.012345), significant(1234.5), significant(2.5), significant(2.0)
    ('0.0123', '1,234', '2.5', '2')
    """
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.{digits}g}"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{float(f'{value:.{digits}g}'):.12g}"


def millions(count: float) -> str:
    """A large count in millions.

    >>> millions(14_120_000).replace(NBSP, " ")
    '14.1 M'
    """
    return f"{count / 1e6:,.1f}{NBSP}M"


def measured_epsilon(epsilon: float, norm: str) -> str:
    """An epsilon between those of a grid: grey levels for linf (`8.9/255`), a length for l2 (`0.53`).

    >>> measured_epsilon(0.0349, "linf"), measured_epsilon(0.00231, "linf"), measured_epsilon(0.5301, "l2")
    ('8.9/255', '0.59/255', '0.53')
    """
    levels = 255 * epsilon
    return f"{levels:.{2 if levels < 1 else 1}f}/255" if norm == "linf" else significant(epsilon)


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(8.31), duration(125), duration(7322)
    ('8.3 s', '2 min 5 s', '2 h 2 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def listing(words: list[str]) -> str:
    """A list in a sentence; of more than nobody reads, the first three and how many others there are.

    >>> listing(["a", "b", "c"]), listing([str(k) for k in range(100)])
    ('a, b and c', '0, 1, 2 and 97 others')
    """
    if len(words) > MOST_LISTED:
        words = [*words[:3], f"{len(words) - 3} others"]
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part) if words else "none"


def is_exact(row: Row) -> bool:
    """Whether the row was computed and not sampled: its interval is the value itself."""
    return row.low == row.value == row.high


def value(row: Row, signs: Mapping[str, str] = WORDS) -> str:
    """The row's value in its unit, without its interval; one of `signs` stands before a bound."""
    shown = metric_of(row.metric, row.unit).shown
    if shown == "epsilon":
        number = measured_epsilon(row.value, row.setting.get("norm", ""))
    else:
        number = whole(row.value) if shown == "count" else quantity(row.value, row.metric, row.unit)
    return f"{signs[row.bound]}{NBSP}{number}" if row.bound else number


def interval(row: Row) -> str:
    """The 95 % interval, e.g. `[37.0, 45.1]`; percents and grey levels without their unit; empty if exact."""
    if is_exact(row):
        return ""
    if metric_of(row.metric, row.unit).shown == "epsilon":
        norm = row.setting.get("norm", "")
        ends = [measured_epsilon(end, norm).removesuffix("/255") for end in (row.low, row.high)]
    else:
        ends = [amount(end, row.metric, row.unit) for end in (row.low, row.high)]
    return f"[{ends[0]},{NBSP}{ends[1]}]"


def sample_size(row: Row) -> str:
    """`n = 500`; empty for a quantity that was computed once."""
    return "" if is_exact(row) and row.n == 1 else f"n{NBSP}={NBSP}{whole(row.n)}"


def interval_and_n(row: Row) -> str:
    """What stands in small print under a value: `[37.0, 45.1] · n = 500`."""
    return " · ".join(part for part in (interval(row), sample_size(row)) if part)


def estimate(row: Row, whole_of: str = "") -> str:
    """A row in a sentence, and what it is a share of: `41.5 % of all images [37.0, 45.1; n = 500]`."""
    inside = "; ".join(part for part in (interval(row).strip("[]"), sample_size(row)) if part)
    return " ".join(part for part in (value(row), whole_of, f"[{inside}]" if inside else "") if part)
