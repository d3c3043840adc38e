"""Packages whose plugins cannot be used stop nothing: they are named in a warning, and all else works."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nasaudit.results.schema import StudyResults

PACKAGES = {
    "clashing": ("pgd = clashing:Any", "class Any:\n    pass\n"),
    "unimportable": ("mine = unimportable:Any", "import absent_dependency\n"),
    "leaving": ("other = leaving:Any", "raise SystemExit(7)\n"),
    "empty": ("void = empty:Any", "class Any:\n    pass\n"),
}
GROUPS = ("attacks", "analyses", "data", "remedies", "executors", "metrics", "searches", "architectures")
COMMAND = "import sys; from nasaudit.cli import main; sys.argv[0] = 'nasaudit'; main()"


@pytest.fixture
def nasaudit(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command where these packages are installed."""
    site = tmp_path / "site"
    for name, (entry, code) in PACKAGES.items():
        info = site / f"{name}-3.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}.py").write_text(code)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 3.0\n")
        (info / "entry_points.txt").write_text("".join(f"[nasaudit.{group}]\n{entry}\n" for group in GROUPS))
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", COMMAND, *map(str, words)],
            env={**os.environ, "PYTHONPATH": path},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize("what", ["attacks", "analyses", "data", "remedies", "searches", "architectures"])
def test_list_goes_on_and_names_the_packages(
    what: str, nasaudit: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = nasaudit("list", what, "--json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for package in ("unimportable", "leaving", "empty"):
        assert f"of the package {package} 3.0 is left out" in done.stderr
    if what == "attacks":
        assert "of the package clashing 3.0 is left out: its name is taken by 'pgd'" in done.stderr
        assert '"name": "pgd"' in done.stdout


def test_a_report_is_written(
    pgd_study: Callable[..., StudyResults],
    tmp_path: Path,
    nasaudit: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    (tmp_path / "results.json").write_text(pgd_study().model_dump_json(), encoding="utf-8")
    done = nasaudit("report", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").stat().st_size > 100_000
    assert "of the package clashing 3.0 is left out" in done.stderr
