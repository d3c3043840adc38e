"""Which cells a population has, and the study of it that comes with the package."""

import subprocess
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from nasaudit.analysis.topology.shape import topology
from nasaudit.arch.catalogue import CATALOGUE, Entry
from nasaudit.arch.rewiring import rewire
from nasaudit.arch.space import draw_many, ordered
from nasaudit.errors import SpecError
from nasaudit.planning import population as module
from nasaudit.planning.plan import plan
from nasaudit.planning.population import HARDENED, hardened_name, population
from nasaudit.planning.studies import load_study, parse_study
from nasaudit.results.folder import StudyFolder
from nasaudit.spec.arch import ArchSpec
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.study import ArchChoice, PopulationSpec, StudySpec
from nasaudit.spec.tasks import AnalysisTask

NO_DOWNLOADS = Path("nowhere")
SEARCHED = [name for name in CATALOGUE if CATALOGUE[name].group == "nas"]


def names(**fields: object) -> list[str]:
    return [choice.name for choice in population(PopulationSpec.parse(fields))]


def study(**fields: object) -> StudySpec:
    return StudySpec.parse({"data": "digits", "seeds": [0], "analyses": ["topology"], **fields})


def planned(**fields: object) -> tuple[ArchSpec, ...]:
    return plan(study(**fields), NO_DOWNLOADS).architectures


def cells_of(choice: ArchChoice) -> Genotype:
    genotype = choice.genotype or CATALOGUE[choice.name].genotype
    assert genotype is not None
    return genotype


def test_the_default_has_60_random_cells_10_published_ones_and_30_hardened() -> None:
    architectures = planned(population={})
    assert Counter(one.group for one in architectures) == {"random": 60, "nas": 10, "hardened": 30}
    assert [one.name for one in architectures[:60]] == [f"cell-{k:03}" for k in range(60)]
    assert [one.name for one in architectures[60:70]] == SEARCHED
    assert [one.name for one in architectures[70:76]] == [
        *("amoebanet+deepen", "amoebanet+drop_skips", "amoebanet+both"),
        *("darts+deepen", "darts+drop_skips", "darts+both"),
    ]


def test_no_two_have_the_same_name_or_the_same_cells() -> None:
    choices = population(PopulationSpec())
    assert len({choice.name for choice in choices}) == len(choices)
    assert len({ordered(cells_of(choice)) for choice in choices}) == len(choices)


def test_hardened_cells_are_the_rewirings_of_the_published_ones() -> None:
    found = {choice.name: cells_of(choice) for choice in population(PopulationSpec(cells=0, published=False))}
    assert found == {
        hardened_name(name, how): rewire(CATALOGUE[name].genotype, how)
        for name in SEARCHED
        for how in HARDENED
    }
    for name in SEARCHED:
        before, deeper = (
            topology(CATALOGUE[name].genotype)["normal"],
            topology(found[f"{name}+deepen"])["normal"],
        )
        assert deeper.depth > before.depth
        assert topology(found[f"{name}+both"])["normal"].skips == 0


def test_each_part_can_be_had_alone_and_the_order_stays() -> None:
    everything = names(cells=3)
    assert names(cells=3, published=False, hardened=False) == ["cell-000", "cell-001", "cell-002"]
    assert names(cells=0, hardened=False) == SEARCHED
    assert names(cells=3, hardened=False) + names(cells=0, published=False) == everything
    assert names(cells=0) == everything[3:]


def test_a_population_that_grows_keeps_its_cells_under_their_names() -> None:
    """So their trained victims are found again in the store."""
    small, large = (planned(population={"cells": n, "published": False, "hardened": False}) for n in (5, 120))
    assert large[:5] == small
    other = planned(population={"cells": 5, "seed": 1, "published": False, "hardened": False})
    assert all(one.genotype != two.genotype for one, two in zip(small, other, strict=True))


def test_a_cell_of_the_catalogue_is_left_out_of_the_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the published ones are asked for or not, so that the draw does not hang on it."""
    drawn = draw_many(4, seed=0)
    entry = Entry("mine", "Mine", "custom", drawn[1], "drawn")
    monkeypatch.setattr(module, "CATALOGUE", {**{name: CATALOGUE[name] for name in CATALOGUE}, "mine": entry})
    for published in (True, False):
        choices = population(PopulationSpec(cells=3, published=published))[:3]
        assert [choice.genotype for choice in choices] == [drawn[0], *drawn[2:]]
        assert [choice.name for choice in choices] == ["cell-000", "cell-001", "cell-002"]


def test_a_rewiring_that_gives_a_cell_of_the_population_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell without skips has one remedy, and a cell that is deep and free of skips has none."""
    no_skips = rewire(CATALOGUE["darts"].genotype, "drop_skips")
    done = rewire(CATALOGUE["darts"].genotype, "both")
    entries = {
        "a": Entry("a", "A", "nas", no_skips, ""),
        "b": Entry("b", "B", "nas", done, ""),  # what deepening `a` gives
        "darts": CATALOGUE["darts"],
    }
    monkeypatch.setattr(module, "CATALOGUE", entries)
    assert names(cells=0, published=False) == ["darts+deepen"]
    del entries["b"]
    assert names(cells=0, published=False) == ["a+deepen", "darts+deepen"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"architectures": ["resnet", "DARTS V2"]},
            r"architectures\[1\]: .*the population does not.*got 'darts'",
        ),
        (
            {"architectures": [{"name": "cell-007", "genotype": CATALOGUE["enas"].genotype}]},
            r"architectures\[0\]: expected a name that the population does not bring .*got 'cell-007'",
        ),
        ({"population": {"cells": 0, "published": False, "hardened": False}}, "population: expected cells"),
        ({"population": {"cells": -1}}, "population.cells: expected greater than or equal to 0"),
        ({"population": {"random": 3}}, "population.random: expected no field of this name"),
        ({"population": None}, "architectures: expected at least one, or a `population`"),
    ],
)
def test_what_does_not_go_together_is_refused_with_the_field(fields: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        planned(**{"population": {"cells": 10}, **fields})


def test_further_architectures_come_first() -> None:
    architectures = planned(architectures=["vgg", "darts"], population={"cells": 2, "published": False})
    assert [one.name for one in architectures[:5]] == [
        "vgg",
        "darts",
        "cell-000",
        "cell-001",
        "amoebanet+deepen",
    ]
    assert planned(architectures=["vgg"], population=None)[0].name == "vgg"


def test_what_is_stored_of_the_study_is_as_short_as_what_was_asked(tmp_path: Path) -> None:
    """And it is the same study when read back: its folder is known again."""
    asked = study(population={"cells": 40}, name="mine")
    stored = asked.model_dump(mode="json")
    assert stored["architectures"] == []
    assert stored["population"] == {"cells": 40, "seed": 0, "published": True, "hardened": True}
    assert StudySpec.parse(stored) == asked
    folder = StudyFolder(tmp_path / "study")
    folder.path.mkdir()
    folder.claim(asked, tmp_path / "store", tmp_path)
    folder.check(asked)
    assert StudySpec.parse(folder.read()["study"]).digest() == asked.digest()


def test_populations_that_differ_are_different_studies() -> None:
    digests = [
        plan(study(population=fields), NO_DOWNLOADS).digest()
        for fields in ({}, {"cells": 59}, {"seed": 1}, {"published": False}, {"hardened": False})
    ]
    assert all(one != other for one, other in combinations(digests, 2))


def test_the_shipped_study_is_planned_in_seconds_without_torch() -> None:
    code = (
        "import sys, time; from pathlib import Path; "
        "from nasaudit.planning.studies import load_study; from nasaudit.planning.plan import plan; "
        "planned = plan(load_study('population'), Path('x')); planned.digest(); "
        "print(len(planned.architectures), len(planned.victims), time.process_time()); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'altair', 'timm')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    architectures, victims, seconds = done.stdout.split()
    assert (architectures, victims) == ("100", "100")
    assert float(seconds) < 5  # of the processor; about 2 here, most of it scikit-learn, which has the digits


def test_every_cell_of_the_shipped_study_is_analysed_and_attacked_alike() -> None:
    tasks = plan(load_study("population"), NO_DOWNLOADS).tasks
    measured = Counter(
        task.analysis.name if isinstance(task, AnalysisTask) else task.kind
        for task in tasks
        if task.kind not in ("train", "poison")
    )
    for kind in ("topology", "convergence", "gradients", "smoothness"):
        assert measured[kind] == 100
    assert {"evasion", "poisoning", "backdoor", "extraction", "membership"} <= set(measured)
    assert all(count % 100 == 0 for count in measured.values())


def test_a_population_is_written_in_yaml() -> None:
    text = "name: mine\npopulation: {cells: 7, hardened: false}\narchitectures: [vgg]\n"
    assert parse_study(text, "a.yaml").population == PopulationSpec(cells=7, hardened=False)
    assert parse_study("population: {}\n", "a.yaml").population == PopulationSpec()
