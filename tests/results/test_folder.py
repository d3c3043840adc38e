from pathlib import Path

import pytest

from nasaudit.errors import ConflictError, StoreError
from nasaudit.results.folder import StudyFolder
from nasaudit.spec.study import StudySpec


def test_a_link_in_the_place_of_an_example_is_replaced_and_what_it_leads_to_is_left_alone(
    tmp_path: Path,
) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "artefact.npz").write_bytes(b"\0\1")
    folder = StudyFolder(tmp_path / "study")
    (folder.path / "examples").mkdir(parents=True)
    (folder.path / "examples" / "a.npz").symlink_to(tmp_path / "mine")
    folder.copy(tmp_path / "artefact.npz", "examples/a.npz")
    assert (tmp_path / "mine").read_text() == "mine"
    assert (folder.path / "examples" / "a.npz").read_bytes() == b"\0\1"


def test_results_and_study_are_not_read_from_outside_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("{}")
    folder = StudyFolder(tmp_path / "study")
    folder.path.mkdir()
    for name in ("results.json", "study.json"):
        (folder.path / name).symlink_to(tmp_path / "secret")
    for read in (folder.results, folder.read):
        with pytest.raises(StoreError, match="leads out of it"):
            read()


GROWN = {"architectures": ["darts"], "data": "digits", "seeds": [0], "analyses": ["topology"], "name": "one"}


@pytest.mark.parametrize(
    "more",
    [
        {"seeds": [0, 1]},
        {"architectures": ["resnet", "darts"], "name": "two"},
        {"analyses": ["topology", "convergence"]},
        {"attacks": ["pgd"]},
    ],
)
def test_a_study_may_grow_in_its_folder_and_not_shrink(tmp_path: Path, more: dict[str, object]) -> None:
    folder = StudyFolder(tmp_path)
    small, large = StudySpec.parse(GROWN), StudySpec.parse({**GROWN, **more})
    folder.claim(small, folder.store, tmp_path)
    folder.check(large)
    folder.claim(large, folder.store, tmp_path)
    with pytest.raises(ConflictError, match=f"differs in {next(iter(more))}"):
        folder.check(small)


@pytest.mark.parametrize(
    ("other", "field"),
    [({"data": "mnist5k"}, "data"), ({"scale": "small"}, "scale"), ({"seeds": [1, 2]}, "seeds")],
)
def test_another_study_is_refused_with_what_differs(
    tmp_path: Path, other: dict[str, object], field: str
) -> None:
    folder = StudyFolder(tmp_path)
    folder.claim(StudySpec.parse(GROWN), folder.store, tmp_path)
    with pytest.raises(ConflictError, match=f"differs in {field};"):
        folder.check(StudySpec.parse({**GROWN, **other}))
