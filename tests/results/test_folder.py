from pathlib import Path

import pytest

from nasaudit.errors import StoreError
from nasaudit.results.folder import StudyFolder


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
