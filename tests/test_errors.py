"""Messages stay short and printable whatever a stranger wrote."""

import pytest

from nasaudit.errors import DataError, SpecError, UnknownNameError


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "got",
    ["a" * 100_000, ["a" * 1000] * 1000, nested(100_000), 1 << 10**6, {"k" * 10**5: [10**300] * 99}],
    ids=["text", "list", "deep", "number", "mapping"],
)
def test_a_long_value_is_not_echoed_in_full(got: object) -> None:
    assert len(str(SpecError("field", "a number", got))) < 2000


def test_a_long_name_is_not_echoed_in_full() -> None:
    assert len(str(UnknownNameError("data set", "a" * 100_000, ["digits"]))) < 2000


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    message = str(DataError("photo.png: " + "\x1b" * 100_000 + "; save it again"))
    assert message.startswith("photo.png: ")
    assert message.endswith("; save it again")


def test_control_characters_are_written_out() -> None:
    assert str(DataError("a\x1b[31m\udce9é")) == "a\\x1b[31m\\udce9é"
