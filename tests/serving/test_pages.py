"""What the pages of an unfinished and of a finished study say."""

import json
import os
import time

import pytest
from tests.serving.asking import client_of, text_of

from nasaudit.measure.estimate import Estimate, Measurement
from nasaudit.serving.pages import Filter
from nasaudit.serving.records import indented
from nasaudit.store.lock import hold
from nasaudit.store.words import KEPT

HOSTILE = "<script>alert(1)</script>'\"&<img src=x onerror=alert(2)>"


def test_an_unfinished_study_shows_its_figures_and_what_is_missing(folder):
    folder.commit(folder.training)
    with client_of(folder.path) as client:
        page = client.get("/")
        assert page.status_code == 200
        said = text_of(page)
        assert "1 of 3 tasks; no run is going on, the same command resumes it" in said
        assert "test accuracy 1 of 1 tasks" in said
        assert "train darts (seed 0) 97.2% [94.9%, 98.5%] 359" in said
        assert "done 1 missing 2" in said
        assert "4 s 2026-01-01 00:00:06 2026-01-01 00:00:10" in said


def test_a_run_that_goes_on_says_what_it_does(folder):
    with hold(folder.path), folder.store.writing():
        folder.store.workspace(folder.training)
        with client_of(folder.path) as client:
            said = text_of(client.get("/"))
    assert "0 of 3 tasks" in said
    assert "resumes" not in said
    assert "running 1" in said


def test_a_finished_study_says_so(folder):
    for task in folder.tasks:
        folder.commit(task)
    with client_of(folder.path) as client:
        assert "finished: 3 of 3 tasks" in text_of(client.get("/"))


def test_a_failure_shows_the_end_of_its_traceback_first_and_more_of_it_on_its_page(folder):
    folder.fail(folder.training)
    with client_of(folder.path) as client:
        said = text_of(client.get("/"))
        assert "1 failed" in said
        assert "line 39 ValueError: the loss became NaN" in said
        assert "line 30" not in said
        assert "blocked 1" in said
        record = text_of(client.get(f"/tasks/{folder.training.digest()}"))
        assert "line 0 line 1" in record


def test_a_record_has_its_spec_measurements_artefacts_versions_and_log(folder):
    folder.commit(folder.training, {"weights.safetensors": b"x" * 12_345})
    folder.store.words.keep(folder.training.digest(), "epoch 1\nepoch 2 <b>")
    with client_of(folder.path) as client:
        page = client.get(f"/tasks/{folder.training.digest()}")
    said = text_of(page)
    for words in (
        '"kind": "train"', '"name": "darts"', "clean_accuracy split test 97.2% [94.9%, 98.5%] fraction 359",
        "weights.safetensors 12.3 kB", "torch 2.6", "epoch 1 epoch 2 <b>",
    ):  # fmt: skip
        assert words in said
    assert "<b>" not in page.text


def test_the_log_of_a_task_that_runs_grows_while_its_page_is_open(folder):
    digest, words = folder.training.digest(), folder.store.words
    with hold(folder.path), folder.store.writing(), client_of(folder.path) as client:
        folder.store.workspace(folder.training)
        words.keep(digest, "epoch 1 <b>")
        said = text_of(client.get(f"/tasks/{digest}"))
        assert "running" in said
        assert "The last that it printed so far. epoch 1 <b>" in said
        first = client.get("/live", params={"task": digest}).json()
        words.keep(digest, "epoch 1 <b>\nepoch 2", durable=False)
        second = client.get("/live", params={"task": digest, "seen": first["version"]}).json()
        assert first["html"]["spec"] == second["html"]["spec"]
        assert "epoch 1 &lt;b&gt;\nepoch 2" in second["html"]["log"]
        for stranger in ("0" * 20, "../" * 5, ""):
            assert client.get("/live", params={"task": stranger}).status_code == 404


def test_a_task_without_a_record_has_its_spec(folder):
    with client_of(folder.path) as client:
        said = text_of(client.get(f"/tasks/{folder.training.digest()}"))
    assert "missing" in said
    assert '"name": "darts"' in said


def test_a_damaged_record_is_named_and_not_shown(folder):
    folder.commit(folder.training)
    path = folder.store.path(folder.training.digest()) / "record.json"
    path.write_text(path.read_text().replace("97", "98"))
    with client_of(folder.path) as client:
        said = text_of(client.get(f"/tasks/{folder.training.digest()}"))
        assert "is damaged; it counts as absent" in said
        assert "clean_accuracy" not in said


def test_a_record_that_comes_while_the_page_is_open_is_seen_and_nothing_new_is_not_sent(folder):
    with client_of(folder.path) as client:
        first = client.get("/live").json()
        assert first["title"] == "0/3 · small"
        assert client.get("/live", params={"seen": first["version"]}).status_code == 204
        folder.commit(folder.training)
        until = time.monotonic() + 20
        while (answer := client.get("/live", params={"seen": first["version"]})).status_code == 204:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert answer.json()["title"] == "1/3 · small"
        assert "97.2%" in answer.json()["html"]["figures"]


def test_a_record_is_read_once_and_again_when_it_is_written_anew(folder, monkeypatch):
    reads = []
    find = type(folder.store).find
    monkeypatch.setattr(
        type(folder.store), "find", lambda self, task: (reads.append(task), find(self, task))[1]
    )
    from nasaudit.serving.watch import Watch

    watch = Watch(folder.path)
    folder.commit(folder.training)
    before = watch.look()
    watch.look()
    assert len(reads) == 1
    folder.fail(folder.training)
    assert watch.look().records != before.records
    assert len(reads) == 2
    assert watch.look().rows[0].state == "failed"


def test_a_study_that_grows_is_planned_again(folder):
    from tests.serving.conftest import STUDY

    from nasaudit.results.folder import StudyFolder
    from nasaudit.serving.watch import Watch
    from nasaudit.spec.study import StudySpec

    watch = Watch(folder.path)
    assert len(watch.look().rows) == 3
    StudyFolder(folder.path).claim(
        StudySpec.parse({**STUDY, "seeds": [0, 1]}), folder.store.folder, folder.path
    )
    os.utime(folder.path / "study.json")
    assert len(watch.look().rows) == 5


def test_a_folder_whose_run_has_not_begun_is_waited_for(tmp_path):
    with client_of(tmp_path / "later", patient=True) as client:
        page = client.get("/")
        assert page.status_code == 200
        assert "The run has not begun" in page.text
        assert client.get("/live").json()["html"].keys() == {"summary"}
        assert client.get("/tasks/" + "0" * 20).status_code == 200


def test_a_folder_that_is_no_study_says_why(tmp_path):
    (tmp_path / "study.json").write_text("[]")
    with client_of(tmp_path) as client:
        assert "is damaged" in client.get("/").text


def test_rows_are_filtered_by_text_and_state_and_come_in_pages(make_folder, monkeypatch):
    folder = make_folder(architectures=["darts", "resnet"], seeds=list(range(4)))
    monkeypatch.setattr("nasaudit.serving.pages.ROWS", 5)
    folder.commit(folder.training)
    with client_of(folder.path) as client:

        def labels(query):
            page = client.get(f"/live?{query}").json()["html"]["tasks"]
            return page.count('scope="row"'), page

        count, page = labels("")
        assert count == 5
        assert "1 to 5 of 18" in page
        assert labels("page=4")[0] == 3
        assert labels("page=99") == labels("page=4")
        assert labels("page=-1") == labels("page=x") == labels("")
        assert labels("q=CONVERGENCE+of+resnet")[0] == 4
        assert labels("state=done")[0] == 1
        assert labels("state=done&q=resnet")[0] == 0
        assert labels(f"q={folder.training.digest()}")[0] == 1
        assert labels("state=nonsense") == labels("")


def test_what_a_query_says_is_kept_in_links():
    asked = Filter.of("a b&c", "done", "3")
    assert asked.query(page=4) == "?q=a+b%26c&state=done&page=4"
    assert asked.query(state="", page=1) == "?q=a+b%26c"


def test_words_of_strangers_are_no_markup(make_folder):
    folder = make_folder(name=HOSTILE)
    folder.commit(
        folder.training,
        {"<img src=x>": b""},
        label=HOSTILE,
        versions={HOSTILE: HOSTILE},
        measurements=(
            Measurement(HOSTILE, Estimate(0.5, 0.4, 0.6, 9, HOSTILE), ((HOSTILE, HOSTILE),)),
            Measurement("clean_accuracy", Estimate(0.5, 0.4, 0.6, 9, HOSTILE)),
        ),
    )
    folder.fail(folder.tasks[1], HOSTILE)
    folder.store.words.keep(folder.training.digest(), HOSTILE)
    with client_of(folder.path) as client:
        pages = [client.get(path).text for path in ("/", "/report", f"/tasks/{folder.training.digest()}")]
        pages += [client.get("/", params={"q": HOSTILE}).text]
        pages += client.get("/live", params={"q": HOSTILE}).json()["html"].values()
    for page in pages:
        assert "<img" not in page
        assert "alert(1)</script>" not in page


@pytest.mark.parametrize("name", ["\ud800", "\x00\x1b[31m", "\u202e" * 400, "x" * 10_000])
def test_any_name_makes_a_page(make_folder, name):
    folder = make_folder()
    content = json.loads((folder.path / "study.json").read_text())
    content["study"]["name"] = name
    (folder.path / "study.json").write_text(json.dumps(content))
    with client_of(folder.path) as client:
        assert client.get("/").status_code == 200
        assert client.get("/live").status_code == 200
        assert len(client.get("/").content) < 20_000


def test_times_and_sizes_that_nothing_can_have_make_a_page(folder):
    folder.commit(folder.training, seconds=1e300, finished="9999-12-31T23:59:59-23:59")
    with client_of(folder.path) as client:
        assert client.get("/").status_code == 200
        assert client.get(f"/tasks/{folder.training.digest()}").status_code == 200


def test_nothing_is_written(folder):
    folder.commit(folder.training)

    def state():
        return {path: path.lstat().st_mtime_ns for path in sorted(folder.path.rglob("*"))}

    before = state()
    with client_of(folder.path) as client:
        for path in ("/", "/live?report=1", "/report", f"/tasks/{folder.training.digest()}"):
            client.get(path)
    assert state() == before


def test_a_spec_is_a_field_a_line():
    value = {"a": [1, 2], "b": {"c": "d, e"}, "f": [], "g": ["x" * 50, "y" * 50]}
    assert indented(value).splitlines()[:4] == ["{", '  "a": [1, 2],', '  "b": {', '    "c": "d, e"']
    assert json.loads(indented(value)) == value


def test_logs_are_bounded_and_lead_nowhere_else(folder, tmp_path):
    words, digest = folder.store.words, folder.training.digest()
    folder.store.folder.mkdir()
    words.keep(digest, "begin" + "x" * 2 * KEPT + "end")
    assert len(words.read(digest)) == KEPT
    assert words.read(digest).endswith("end")
    words.keep(digest, "")
    assert words.read(digest) == ""
    (tmp_path / "secret").write_text("secret")
    (words.path / f"{digest}.txt").symlink_to(tmp_path / "secret")
    assert words.read(digest) == ""
    (words.path / f"{digest}.txt").unlink()
    os.mkfifo(words.path / f"{digest}.txt")
    assert words.read(digest) == ""
