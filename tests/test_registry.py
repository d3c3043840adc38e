import sys
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


def _only_builtin(monkeypatch, caplog, *plugins, base=None):
    """The names that are left, and what is said, where these plugins are installed."""
    monkeypatch.setattr(registry, "entry_points", lambda group: list(plugins))
    names = Registry("number", "some.group", float, plugin_base=base)
    names.add("e", 2.718, "euler")
    known = list(names)
    assert names["e"] == 2.718
    return known, [record.getMessage() for record in caplog.records]


class _Package:
    name, version = "acme-attacks", "2.1"


def _of_package(value, name="mine"):
    return _plugin(value, name)._for(_Package())


def test_a_plugin_of_another_type_is_left_out_with_a_warning(monkeypatch, caplog):
    known, said = _only_builtin(monkeypatch, caplog, _of_package("math:sin"), _of_package("math:pi", "pi"))
    assert known == ["e", "pi"]
    (warning,) = said
    assert "the number mine of the package acme-attacks 2.1 is left out" in warning
    assert "math:sin: expected an instance of float" in warning


@pytest.mark.parametrize("name", ["e", "E", "Euler"])
def test_a_plugin_never_takes_a_name_that_is_built_in(name, monkeypatch, caplog):
    known, (warning,) = _only_builtin(monkeypatch, caplog, _of_package("math:pi", name))
    assert known == ["e"]
    assert "acme-attacks 2.1" in warning
    assert "its name is taken by 'e'" in warning


def test_of_two_plugins_with_one_name_the_first_stays(monkeypatch, caplog):
    known, (warning,) = _only_builtin(monkeypatch, caplog, _of_package("math:pi"), _of_package("math:tau"))
    assert known == ["e", "mine"]
    assert "its name is taken by 'mine'" in warning


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import absent_dependency", "ModuleNotFoundError: No module named 'absent_dependency'"),
        ("raise SystemExit('go away')", "SystemExit: go away"),
        ("1 / 0", "ZeroDivisionError"),
        ("def f(: pass", "SyntaxError"),
        ("mine = 1", "AttributeError"),
        ("raise ValueError('\\x1b[31m' + 'x\\n' * 9999)", "ValueError: \\x1b[31mx x"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_left_out(code, said, monkeypatch, caplog, tmp_path):
    (tmp_path / "broken_plugin.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_plugin", raising=False)
    known, (warning,) = _only_builtin(monkeypatch, caplog, _of_package("broken_plugin:item"))
    assert known == ["e"]
    assert "acme-attacks 2.1 is left out" in warning
    assert said in warning
    assert len(warning) < 500
    assert warning.isprintable()


def test_a_value_that_names_no_object_is_left_out(monkeypatch, caplog):
    known, (warning,) = _only_builtin(monkeypatch, caplog, _plugin("not an object !"))
    assert known == ["e"]
    assert "that has not an object !" in warning


def test_classes_must_be_of_their_base_and_have_what_it_declares(monkeypatch, caplog):
    class Base:
        __class_vars__ = frozenset({"summary"})

    _only_builtin(
        monkeypatch, caplog, _of_package("math:pi", "a"), _of_package("fractions:Fraction", "b"), base=Base
    )
    assert ["expected a subclass of Base" in record.getMessage() for record in caplog.records] == [True, True]
    caplog.clear()
    monkeypatch.setattr(EntryPoint, "load", lambda self: type("Mine", (Base,), {}))
    known, (warning,) = _only_builtin(monkeypatch, caplog, _of_package("math:pi"), base=Base)
    assert known == ["e"]
    assert "expected a class with summary" in warning


def test_damaged_metadata_of_any_package_stop_nothing(monkeypatch, caplog):
    def entry_points(group):
        raise TypeError("Pair() missing 1 required argument")

    monkeypatch.setattr(registry, "entry_points", entry_points)
    names = Registry[float]("number", "some.group", float)
    names.add("e", 2.718)
    assert list(names) == ["e"]
    assert "no plugin of the group some.group is read" in caplog.text
