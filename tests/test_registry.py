from importlib.metadata import EntryPoint

import pytest

from nasaudit import registry
from nasaudit.errors import NasauditError, UnknownNameError
from nasaudit.registry import Registry


def test_names_are_forgiving_and_lead_to_one_spelling():
    names = Registry[int]("number")
    names.add("pc_darts", 7, "partial channels")
    for spelling in ("PC-DARTS", "pc darts", "pcdarts", "Partial-Channels"):
        assert names.canonical(spelling) == "pc_darts"
        assert names[spelling] == 7
        assert spelling in names
    assert list(names) == ["pc_darts"]
    assert len(names) == 1


def test_a_name_can_be_taken_once_also_as_an_alias():
    names = Registry[int]("number")
    names.add("one", 1, "uno")
    for taken in ("ONE", "u-n-o"):
        with pytest.raises(NasauditError, match=r"registered twice \(taken by one\)"):
            names.add(taken, 2)


def test_an_unknown_name_gets_the_nearest_ones():
    names = Registry[int]("architecture")
    for name in ("darts", "pdarts", "resnet"):
        names.add(name, 0)
    with pytest.raises(UnknownNameError) as caught:
        names["dartz"]
    assert caught.value.suggestions[0] == "darts"
    assert "unknown architecture 'dartz'; did you mean darts" in str(caught.value)
    with pytest.raises(UnknownNameError, match="known: darts, pdarts, resnet"):
        names["xyzzy"]


def _plugin(value, name="mine", group="some.group"):
    return EntryPoint(name=name, value=value, group=group)


def test_plugins_are_read_when_a_name_is_first_looked_up(monkeypatch):
    asked = []

    def entry_points(group):
        asked.append(group)
        return [_plugin("math:pi")]

    monkeypatch.setattr(registry, "entry_points", entry_points)
    names = Registry[float]("number", "some.group", float)
    names.add("e", 2.718)
    assert asked == []
    assert names["mine"] == pytest.approx(3.14159, abs=1e-5)
    assert list(names) == ["e", "mine"]
    assert asked == ["some.group"]


def test_a_plugin_of_another_type_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(registry, "entry_points", lambda group: [_plugin("math:sin")])
    names = Registry[float]("number", "some.group", float)
    with pytest.raises(NasauditError, match=r"math:sin \(some.group: mine\) is no number: expected .* float"):
        names["e"]
