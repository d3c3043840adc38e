"""The notebook of examples/ and the page on the Python API run as they are written."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WHO = (
    "from nasaudit.running.display.progress import default_observer\nprint(type(default_observer()).__name__)"
)

pytestmark = pytest.mark.timeout(900)  # much longer than they take, for machines that do much else


def test_the_page_runs_as_written(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/python.md").read_text(), re.M | re.S):
        exec(compile(block, "docs/python.md", "exec"), names)
    assert "security_curve" in capsys.readouterr().out
    assert names["again"].results == names["audit"].results
    assert Path("curve.svg").exists()


def test_the_notebook_runs_as_written(tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(ROOT / "examples/notebook.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(WHO))
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pieces = [output.data["text/html"] for output in shown if "text/html" in output.get("data", {})]
    assert sum(piece.startswith("<iframe") for piece in pieces) == 1
    assert sum("vegaEmbed" in piece for piece in pieces) == 2
    assert "LiveProgress" in shown[-1]["text"]
    assert (tmp_path / "audits").is_dir()
