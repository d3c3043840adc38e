"""The commands with their records on an object server: moto's, which speaks S3."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

URL = "s3://bucket/audits/records"
STUDY = """
architectures: [vgg]
data: {name: digits, train_images: 100}
seeds: [0]
attacks: [{name: fgsm, images: 20}]
training: {epochs: 1}
analyses: []
"""


@pytest.fixture
def bucket(monkeypatch):
    """A client of a server that has one empty bucket."""
    import boto3

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    yield client
    server.stop()


def objects(client) -> dict[str, str]:
    """The tags of what is in the bucket, which change with content, and the times."""
    listed = client.list_objects_v2(Bucket="bucket").get("Contents", [])
    return {one["Key"]: f"{one['ETag']} {one['LastModified']}" for one in listed}


def test_a_second_machine_finds_what_the_first_one_did(command, bucket, tmp_path, monkeypatch):
    Path("study.yaml").write_text(STUDY)

    def run(machine: str, *words: str) -> tuple[int, str, str]:
        monkeypatch.setenv("NASAUDIT_CACHE", str(tmp_path / machine))
        return command(*words)

    def study(machine: str, out: str) -> bytes:
        how = ("--executor", "serial", "--store", URL, "--quiet")
        code, _, err = run(machine, "study", "run", "study.yaml", "--out", out, *how)
        assert code == 0, err
        return Path(out, "results.csv").read_bytes()

    table = study("first", "one")
    made = objects(bucket)
    assert all(name.startswith("audits/records/") for name in made)
    assert sum(name.endswith("/record.json") for name in made) == 2
    assert json.loads(Path("one/study.json").read_text())["store"] == URL
    assert not Path("one/store").exists()

    assert study("second", "two") == table
    assert objects(bucket) == made, "it had nothing to do"

    code, out, _ = run("second", "study", "status", "two")
    assert (code, "2 done of 2" in out) == (0, True), out
    code, _, err = run("third", "study", "status", "two")
    assert code == 3
    assert f"NASAUDIT_STORE={URL}" in err

    assert run("second", "store", "verify", URL)[:2] == (0, f"{URL}: 2 records, 0 faults\n")
    name = next(name for name in made if name.endswith("weights.safetensors"))
    bucket.put_object(Bucket="bucket", Key=name, Body=b"others")
    code, out, _ = run("second", "store", "verify", "two")
    assert code == 1
    assert "has 6 bytes of weights.safetensors instead of" in out
    shutil.rmtree(tmp_path / "second")
    assert study("second", "three") == table, "what was damaged is made again, and put there"
    assert run("second", "store", "verify", URL)[0] == 0

    Path("study.yaml").write_text(STUDY.replace("fgsm", "pgd"))
    study("third", "four")
    code, out, err = run("third", "store", "gc", URL, "--keep", "four", "--remove")
    assert code == 0, err
    assert "1 records" in out
    assert run("third", "store", "verify", URL)[1] == f"{URL}: 2 records, 0 faults\n"


def test_a_bucket_that_is_not_there_is_told(command, bucket):
    Path("study.yaml").write_text(STUDY)
    how = ("--executor", "serial", "--store", "s3://other/records", "--quiet")
    code, _, err = command("study", "run", "study.yaml", "--out", "out", *how)
    assert code == 3
    assert "s3://other/records cannot be written to" in err
    assert "make the bucket first" in err
