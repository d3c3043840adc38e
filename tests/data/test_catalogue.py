import subprocess
import sys
from pkgutil import resolve_name

import pytest

from nasaudit.data.catalogue import DATA, describe, digest_files, fingerprint, parse_data, settle
from nasaudit.errors import DataError, SpecError, UnknownNameError
from nasaudit.spec.data import DataSpec


def test_the_seven_are_listed():
    assert list(DATA)[:7] == ["digits", "mnist5k", "cifar10", "cifar100", "imagenet32", "folder", "npz"]


def test_every_entry_keeps_its_promises():
    for name in DATA:
        source = DATA[name]
        assert source.name == name
        functions = [source.loader, source.files, source.fetch, source.names]
        for function in functions:
            if isinstance(function, str):
                assert callable(resolve_name(function))
        assert (source.files is None) == (source.needs == "nothing")
        assert (source.fetch is not None) == (source.needs == "download")
        assert (source.shape is None) == (source.classes is None) == (source.needs == "path")
        assert set(source.options) <= set(DataSpec.model_fields)


@pytest.mark.parametrize("text", ["mnist5k", "MNIST-5k", "mnist_5K", " mnist5k "])
def test_names_are_forgiving(text):
    assert parse_data(text) == DataSpec(name="mnist5k")


def test_paths_may_follow_the_name():
    assert parse_data("Folder:/a/b:c") == DataSpec(name="folder", path="/a/b:c")
    assert parse_data("npz:x.npz") == settle(DataSpec(name="npz", path="x.npz"))
    assert parse_data("CIFAR-10:/data") == DataSpec(name="cifar10", path="/data")


def test_wrong_names_get_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown data set 'cifar11'.*cifar10"):
        parse_data("cifar11")
    with pytest.raises(UnknownNameError):
        parse_data("")


@pytest.mark.parametrize("text", ["folder", "npz", "folder:", "NPZ"])
def test_a_missing_path_is_told_with_the_form(text):
    with pytest.raises(SpecError, match=rf"expected {text.rstrip(':').lower()}:PATH"):
        parse_data(text)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"name": "digits", "path": "x"}, r"data\.path: expected nothing here, digits"),
        ({"name": "cifar10", "classes": 11}, r"data\.classes: expected at most 10"),
        ({"name": "npz", "path": "x", "image_size": 9}, r"data\.image_size"),
        ({"name": "imagenet32", "classes": 2000}, r"data\.classes: expected at most 1000"),
        ({"name": "folder:a", "path": "b"}, r"data\.path: expected one path"),
    ],
)
def test_idle_options_are_refused(fields, match):
    with pytest.raises(SpecError, match=match):
        settle(DataSpec(**fields))


def test_settling_keeps_everything_else():
    spec = DataSpec(name="Image Net 32", seed=4, classes=32, pool_fraction=0.3, path="p")
    assert settle(spec) == spec.model_copy(update={"name": "imagenet32"})
    assert settle(settle(spec)) == settle(spec)


def test_embedded_sets_need_no_files(tmp_path):
    spec = DataSpec(name="Digits", fingerprint="stale")
    assert fingerprint(spec, tmp_path / "nowhere") == DataSpec(name="digits")
    assert describe(spec, tmp_path) == ((1, 8, 8), 10)


def test_digest_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two, top = tmp_path / "a" / "x", tmp_path / "b" / "x", tmp_path / "y"
    for path, content in ((one, b"1"), (two, b"2"), (top, b"3")):
        path.write_bytes(content)
    whole = digest_files([one, two, top])
    assert whole == digest_files([one, two, top])
    assert whole != digest_files([two, one, top])
    renamed = top.rename(tmp_path / "z")
    assert whole != digest_files([one, two, renamed])
    renamed.rename(top)
    two.write_bytes(b"1")
    assert whole != digest_files([one, two, top])
    with pytest.raises(DataError, match="gone: cannot be read"):
        digest_files([one, tmp_path / "gone"])


def test_planning_is_light():
    """Listing needs no numpy; naming, fingerprinting and describing an embedded set need no torch."""
    code = (
        "import sys; from pathlib import Path\n"
        "from nasaudit.data.catalogue import DATA, class_names, describe, fingerprint, parse_data, read_raw\n"
        "[DATA[name].title for name in DATA]\n"
        "print('numpy' in sys.modules)\n"
        "spec = fingerprint(parse_data('mnist5k'), Path('x'))\n"
        "describe(spec, Path('x')); class_names(spec, Path('x')); read_raw(spec, Path('x'))\n"
        "print(any(name in sys.modules for name in ('torch', 'torchvision', 'pandas', 'sklearn')))"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "False"]
