"""Rows that share what is the same in them: a million of them have a few thousand settings."""

from nasaudit.results.schema import Row

_FIELDS = set(Row.model_fields)


class Lean:
    """Makes rows lean, those of one study, which halves their memory."""

    def __init__(self) -> None:
        self._settings: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}

    def __call__(self, row: Row) -> Row:
        """The same row; its setting, and the set of its fields, are those of others too."""
        setting = self._settings.setdefault(tuple(row.setting.items()), row.setting)
        row.__dict__["setting"] = setting
        object.__setattr__(row, "__pydantic_fields_set__", _FIELDS)
        return row
