"""Genotypes in Python files, as repositories of the field have them: read, and never run."""

import pytest

from nasaudit.arch.catalogue import CATALOGUE, choose, same_cells
from nasaudit.errors import GenotypeError, InputError, UnknownNameError
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.study import ArchChoice

DARTS = CATALOGUE["darts"].genotype.to_text()
V1 = CATALOGUE["darts_v1"].genotype.to_text()
# The layout of DARTS' cnn/genotypes.py, with an import that would leave a file.
FILE = f"""
from collections import namedtuple
import pathlib
pathlib.Path("ran").touch()

Genotype = namedtuple('Genotype', 'normal normal_concat reduce reduce_concat')
PRIMITIVES = ['none', 'skip_connect']
DARTS_V1 = {V1}
DARTS_V2: Genotype = {DARTS}
DARTS = DARTS_V2
BAD = Genotype(normal=[('sep_conv_9x9', 0), ('skip_connect', 1)], normal_concat=range(2, 3),
               reduce=[('skip_connect', 0), ('skip_connect', 1)], reduce_concat=range(2, 3))
COMPUTED = Genotype(normal=PRIMITIVES, normal_concat=[2], reduce=PRIMITIVES, reduce_concat=[2])
POSITIONS = Genotype([('skip_connect', 0), ('skip_connect', 1)], range(2, 3), [('none', 0), ('none', 1)], [2])

def build(classes):
    return None
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "genotypes.py").write_text(FILE)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "same"), [("DARTS_V1", "darts_v1"), ("DARTS_V2", "darts"), ("DARTS", "darts")]
)
def test_an_assigned_genotype_is_read_and_the_file_not_run(folder, name, same):
    choice = choose(f"genotypes.py:{name}")
    assert choice.genotype == CATALOGUE[same].genotype
    assert choice.name == f"genotypes.py:{name}"
    assert choice == ArchChoice.parse({"name": str(folder / f"genotypes.py:{name}")})
    assert choice.genotype == ArchChoice.parse({"name": "a", "genotype": f"genotypes.py:{name}"}).genotype
    assert not (folder / "ran").exists()


def test_arguments_without_names_are_in_the_order_of_the_tuple(folder):
    genotype = choose("genotypes.py:POSITIONS").genotype
    assert [edge.op for edge in genotype.reduction.edges] == ["none", "none"]
    assert genotype.normal.concat == (2,)


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("genotypes.py", GenotypeError, r"as in genotypes\.py:DARTS_V1, got \['DARTS_V1', 'DARTS_V2'"),
        ("genotypes.py:DARTS_V3", UnknownNameError, "known: DARTS_V1, DARTS_V2, DARTS, BAD"),
        ("genotypes.py:BAD", GenotypeError, "one of none.*got 'sep_conv_9x9'"),
        ("genotypes.py:COMPUTED", GenotypeError, "literal pairs.*got 'PRIMITIVES'"),
        ("broken.py", InputError, r"the function after the file, as in broken\.py:build"),
    ],
)
def test_what_is_no_genotype_is_refused_and_the_file_not_run(folder, text, error, told):
    (folder / "broken.py").write_text("Genotype(" + "(" * 5000)
    with pytest.raises(error, match=told):
        choose(text)
    assert not (folder / "ran").exists()


def test_one_assignment_needs_no_name(folder):
    (folder / "mine.py").write_text(
        f"import absent\nMINE = absent.Genotype{DARTS.removeprefix('Genotype')}\n"
    )
    assert choose("mine.py").genotype == CATALOGUE["darts"].genotype
    assert choose("mine.py").name == "mine.py"


def test_other_names_of_such_a_file_are_code(folder):
    for name in ("build", "namedtuple"):
        choice = choose(f"genotypes.py:{name}")
        assert (choice.genotype, choice.model.builder) == (None, "python")
    (folder / "late.py").write_text(f"MINE = {DARTS}\nMINE = print\n")
    assert choose("late.py:MINE").model.builder == "python"  # what it is assigned last counts


def test_cells_of_the_catalogue_are_known_whatever_their_order():
    for name in CATALOGUE:
        genotype = CATALOGUE[name].genotype
        if genotype is None:
            continue
        values = genotype.model_dump(mode="json")
        for cell in values.values():
            cell["nodes"] = [node[::-1] for node in cell["nodes"]]
            cell["concat"] = cell["concat"][::-1]
        assert same_cells(Genotype.from_json(values)) == name
        values["normal"]["nodes"][0][0][0] = "none"
        assert same_cells(Genotype.from_json(values)) is None


def test_show_names_the_same_cells(folder, command):
    code, out, err = command("show", "genotypes.py:DARTS")
    assert code == 0, err
    assert "genotypes.py:DARTS (the same cells as darts)" in out
    code, out, _ = command("show", "darts")
    assert "same cells" not in out
