"""The kinds of file: how a good one is made, how it is spoiled, and what reads it as a user would have it read."""

import pickle
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fuzz import formats, mutations

Spoil = Callable[[bytes, random.Random], bytes]
STUDY = """
name: fuzz
architectures: [darts]
data: {name: digits, train_images: 100}
seeds: [0, 1]
attacks: [{name: fgsm, images: 16, epsilons: [8/255]}]
analyses: [topology, convergence, {name: landscape, images: 16, points: 3, slice_points: 3, norm_images: 16}]
training: {epochs: 2}
"""
POLICY = """
rules:
  - {name: few, attack: fgsm, metric: asr, setting: {epsilon: 8/255}, at_most: 0.9}
  - {family: training, metric: clean_accuracy, setting: {split: test}, at_least: 0.01, judge: value}
  - {family: evasion, metric: headline, not_worse_than_baseline: true}
"""
GENOTYPE = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ('max_pool_3x3', 2), ('none', 0)], "
    "normal_concat=range(2, 4), reduce=[('dil_conv_5x5', 0), ('skip_connect', 1)], reduce_concat=[2])"
)
CELL_201 = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        make: fills a folder with good files.
        files: pattern of those that are spoiled, one in each case.
        spoil: from good content to bad.
        read: what is done with the folder.
        is_text: what is in the file is read, not the file.
        is_folder: a user names the folder, and nothing that its links lead to.
        of_finished: a study that is done is read beside it.
        many_problems: all problems are told at once, a line each.
    """

    make: Callable[[Path], Any]
    files: str
    spoil: Spoil
    read: Callable[[Path], Any]
    is_text: bool = False
    is_folder: bool = False
    of_finished: bool = False
    many_problems: bool = False


def as_text(spoil: Callable[[str, random.Random], bytes]) -> Spoil:
    """A way to spoil bytes of one that spoils text."""
    return lambda content, rng: spoil(content.decode(), rng)


def spoil(kind: Kind, folder: Path, outside: Path, rng: random.Random) -> str:
    """Spoil one file of a folder; which one, and how."""
    chosen = rng.choice(sorted(path for path in folder.rglob(kind.files) if path.is_file()))
    shutil.copyfile(chosen, outside)
    if rng.random() < 0.06 and not kind.is_text:
        return f"{chosen.name}: {mutations.in_place_of(chosen, outside, rng)}"
    chosen.write_bytes(kind.spoil(chosen.read_bytes(), rng))
    return chosen.name


def make_npz(folder: Path) -> None:
    """Ten images of two classes."""
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    save = np.savez if len(folder.name) % 2 else np.savez_compressed
    save(folder / "d.npz", images=images, labels=np.arange(20) % 2, class_names=np.array(["a", "b"]))


def read_data(text: str) -> None:
    """What planning does with the data of a study."""
    from nasaudit.data.catalogue import class_names, count_roles, describe, fingerprint, parse_data

    spec = parse_data(text)
    place = Path("nowhere")
    fingerprint(spec, place)
    describe(spec, place)
    count_roles(spec, place)
    class_names(spec, place)


def make_pictures(folder: Path) -> None:
    """Two classes, in all formats."""
    from PIL import Image

    for position, suffix in enumerate(("png", "jpg", "bmp", "gif", "webp", "ppm", "tif")):
        for label in ("cat", "dog"):
            (folder / label).mkdir(exist_ok=True)
            pixels = np.random.default_rng(position).integers(0, 256, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"p{position}.{suffix}")


def make_cifar(folder: Path) -> None:
    """Six batches of 20 images and the names."""
    rows = np.random.default_rng(0).integers(0, 256, (20, 3072), dtype=np.uint8)
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        labels = [k % 10 for k in range(20)]
        (folder / name).write_bytes(pickle.dumps({"data": rows, "labels": labels}, protocol=2))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}, protocol=2))


def make_genotype(folder: Path) -> None:
    """The text form, and JSON."""
    from nasaudit.spec.genotype import Genotype

    (folder / "g.txt").write_text(GENOTYPE)
    (folder / "g.json").write_text(Genotype.from_text(GENOTYPE).model_dump_json())


def read_genotype(folder: Path) -> None:
    """As `nasaudit show FILE --svg` does."""
    for path in sorted(folder.iterdir()):
        show(str(path), folder)


def show(architecture: str, folder: Path) -> None:
    """As `nasaudit show` does."""
    from nasaudit.terminal.architecture import describe, write_svg

    facts = describe(architecture, "mini", 10)
    facts.as_text()
    if facts.spec.model is None:
        write_svg(facts, folder / "picture.svg")


def make_study(folder: Path) -> None:
    """One study that names most fields."""
    (folder / "s.yaml").write_text(
        STUDY
        + "population: {cells: 2, published: no, hardened: no}\nmitigation: {remedies: [deepen], doses: [1]}\n"
    )


def read_study(folder: Path) -> None:
    """As `nasaudit study run` does before it runs."""
    from nasaudit.planning.plan import plan
    from nasaudit.planning.studies import load_study

    plan(load_study(str(folder / "s.yaml")), folder)


def finished(folder: Path) -> Path:
    """The folder of a study that is done, made once for all cases of a run."""
    return folder.parents[1] / "finished"


def make_finished(folder: Path) -> None:
    """Train, attack and report the study, with a few images."""
    from nasaudit import api
    from nasaudit.planning.studies import parse_study
    from nasaudit.running.options import RunOptions

    if not folder.exists():
        api.run_study(parse_study(STUDY, "fuzz"), folder, RunOptions(executor="serial"))


def make_policy(folder: Path) -> None:
    """Three rules."""
    (folder / "p.yaml").write_text(POLICY)


def read_policy(folder: Path) -> None:
    """As `nasaudit gate` does."""
    from nasaudit import api
    from nasaudit.terminal.verdicts import judged

    study = finished(folder)
    judged(api.gate(study, folder / "p.yaml", study, junit=folder / "j.xml", sarif=folder / "s.sarif"))


def make_results(folder: Path) -> None:
    """A finished study without its records."""
    shutil.copytree(
        finished(folder), folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("store", "report.html")
    )


def read_results(folder: Path) -> None:
    """As `nasaudit report`, `compare` and `gate` do."""
    from nasaudit import api
    from nasaudit.terminal.verdicts import compared

    loaded = api.load_audit(folder)
    api.refresh_report(loaded.results, folder, always=True)
    compared(api.compare(finished(folder), folder), everything=True)
    (folder / "p.yaml").write_text(POLICY)
    api.gate(folder, folder / "p.yaml", finished(folder))


def make_records(folder: Path) -> None:
    """A finished study."""
    shutil.copytree(
        finished(folder), folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("report.html")
    )


def spoil_record(content: bytes, rng: random.Random) -> bytes:
    """By what it is."""
    if content.startswith(b"PK"):
        return formats.of_zip(content, rng)
    if content.startswith(b"{"):
        return mutations.of_json(content.decode(), rng)
    return (
        formats.of_safetensors(content, rng)
        if b"__metadata__" in content[:100]
        else mutations.of_bytes(content, rng)
    )


def read_records(folder: Path) -> None:
    """As `nasaudit study status` and a run that is `read-only` do."""
    from nasaudit.planning.studies import parse_study
    from nasaudit.running.options import RunOptions
    from nasaudit.running.run import run
    from nasaudit.running.status import status
    from nasaudit.terminal.status import progressed

    progressed(status(folder), verbose=True)
    run(parse_study(STUDY, "fuzz"), folder, RunOptions(mode="read-only"))


def network() -> Any:
    """A small network of cells."""
    from nasaudit.arch.catalogue import choose, resolve
    from nasaudit.arch.network import build

    spec = resolve(choose("darts"), "mini", 10, (1, 8, 8))
    return build(spec.model_copy(update={"n_cells": 3, "init_channels": 4}))


def make_safetensors(folder: Path) -> None:
    """A checkpoint of ours."""
    from nasaudit.training import checkpoint

    checkpoint.save(network(), folder / "w.safetensors", 0.5)


def make_torch(folder: Path) -> None:
    """A state dict as torch writes it now, and as it did before 1.6."""
    import torch

    torch.save(network().state_dict(), folder / "w.pt")
    torch.save(network().state_dict(), folder / "old.pt", _use_new_zipfile_serialization=False)


def read_weights(folder: Path) -> None:
    """As an audit of given weights does, and `checkpoint.load`."""
    from nasaudit.spec.tasks import WeightsFile
    from nasaudit.training import checkpoint

    for path in sorted(folder.glob("*.pt")):
        checkpoint.load_given(WeightsFile.of(str(path)), network())
    for path in sorted(folder.glob("*.safetensors")):
        checkpoint.load(path)
        checkpoint.load_given(WeightsFile.of(str(path)), network())


def spoil_torch(content: bytes, rng: random.Random) -> bytes:
    """The archive, or the pickles of the old form."""
    return formats.of_zip(content, rng) if content.startswith(b"PK") else formats.of_pickle(content, rng)


KINDS = {
    "npz": Kind(make_npz, "d.npz", formats.of_zip, lambda folder: read_data(f"npz:{folder / 'd.npz'}")),
    "pictures": Kind(
        make_pictures, "*.*", formats.of_png, lambda folder: read_data(f"folder:{folder}"), is_folder=True
    ),
    "cifar": Kind(make_cifar, "*_*", formats.of_pickle, lambda folder: read_data(f"cifar10:{folder}")),
    "study": Kind(make_study, "s.yaml", as_text(mutations.of_yaml), read_study),
    "genotype": Kind(
        make_genotype,
        "g.*",
        lambda content, rng: (mutations.of_json if content[:1] == b"{" else mutations.of_text)(
            content.decode(), rng
        ),
        read_genotype,
    ),
    "nasbench201": Kind(
        lambda folder: (folder / "cell").write_text(CELL_201),
        "cell",
        as_text(mutations.of_text),
        lambda folder: show((folder / "cell").read_text(errors="surrogateescape"), folder),
        is_text=True,
    ),
    "policy": Kind(
        make_policy, "p.yaml", as_text(mutations.of_yaml), read_policy, of_finished=True, many_problems=True
    ),
    "results": Kind(
        make_results,
        "results.json",
        as_text(mutations.of_json),
        read_results,
        is_folder=True,
        of_finished=True,
    ),
    "records": Kind(make_records, "*.*", spoil_record, read_records, is_folder=True, of_finished=True),
    "safetensors": Kind(make_safetensors, "w.safetensors", formats.of_safetensors, read_weights),
    "torch": Kind(make_torch, "*.pt", spoil_torch, read_weights),
}
