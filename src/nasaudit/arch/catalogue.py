"""Every architecture that has a name: the 17 of the talk, DARTS V1, hardened and robust cells, plugins. No torch.

A plugin registers an `Entry` with a genotype under the entry point group `nasaudit.architectures`.
"""

from dataclasses import dataclass
from pathlib import Path

from nasaudit.arch import genotypes, genotypes_robust
from nasaudit.arch.code import code_digest
from nasaudit.arch.files import found, kinds
from nasaudit.errors import NasauditError, SpecError
from nasaudit.registry import Registry
from nasaudit.spec.arch import CELL_SIZE, PAPER_DROP_PATH, PAPER_DROPOUT, ArchSpec, Group, Protocol, Scale
from nasaudit.spec.genotype import Genotype
from nasaudit.spec.model import HF_CONFIG
from nasaudit.spec.study import ArchChoice
from nasaudit.strangers import is_file


@dataclass(frozen=True)
class Entry:
    """One architecture of the catalogue.

    Attributes:
        name: the one spelling that records and reports use.
        title: the name as its authors write it.
        group: `manual`, `nas`, `random`, `hardened` for cells rewired from another's, `robust_nas` for cells
            that were searched for their robustness, or `custom` for a plugin's.
        genotype: the cells; None for a manual family, whose numbers are in `arch.manual.families`.
        source: the publication.
    """

    name: str
    title: str
    group: Group
    genotype: Genotype | None
    source: str

    def __post_init__(self) -> None:
        if (self.genotype is None) != (self.group == "manual"):
            raise NasauditError(
                f"architecture {self.name!r}: expected a genotype, or the group 'manual' without one, "
                f"got the group {self.group!r} and {'no' if self.genotype is None else 'a'} genotype"
            )


CATALOGUE: Registry[Entry] = Registry("architecture", "nasaudit.architectures", Entry)


def _manual(name: str, title: str, source: str, *aliases: str) -> None:
    CATALOGUE.add(name, Entry(name, title, "manual", None, source), *aliases)


def _cells(
    name: str, title: str, genotype: Genotype, source: str, *aliases: str, group: Group = "nas"
) -> None:
    CATALOGUE.add(name, Entry(name, title, group, genotype, source), *aliases)


# fmt: off
_manual("bit", "BiT", "Kolesnikov et al., Big Transfer, ECCV 2020", "resnetv2")
_manual("densenet", "DenseNet", "Huang et al., CVPR 2017", "densenet121")
_manual("dla", "DLA", "Yu et al., Deep Layer Aggregation, CVPR 2018", "dla34")
_manual("resnet", "ResNet", "He et al., CVPR 2016", "resnet18")
_manual("resnext", "ResNeXt", "Xie et al., CVPR 2017", "resnext50", "resnext50_32x4d")
_manual("vgg", "VGG", "Simonyan and Zisserman, ICLR 2015", "vgg13", "vgg13_bn")
_manual("wideresnet", "WideResNet", "Zagoruyko and Komodakis, BMVC 2016", "wrn", "wrn50_2", "wide_resnet50_2")
_cells("amoebanet", "AmoebaNet", genotypes.AMOEBANET, "Real et al., AAAI 2019", "amoebanet_a")
_cells("darts", "DARTS", genotypes.DARTS, "Liu et al., ICLR 2019 (second order)", "darts_v2")
_cells("darts_v1", "DARTS V1", genotypes.DARTS_V1, "Liu et al., ICLR 2019 (first order)")
_cells("drnas", "DrNAS", genotypes.DRNAS, "Chen et al., ICLR 2021")
_cells("enas", "ENAS", genotypes.ENAS, "Pham et al., ICML 2018")
_cells("nasnet", "NASNet", genotypes.NASNET, "Zoph et al., CVPR 2018", "nasnet_a")
_cells("pc_darts", "PC-DARTS", genotypes.PC_DARTS, "Xu et al., ICLR 2020")
_cells("pdarts", "P-DARTS", genotypes.PDARTS, "Chen et al., ICCV 2019")
_cells("sgas", "SGAS", genotypes.SGAS, "Li et al., CVPR 2020")
_cells("snas", "SNAS", genotypes.SNAS, "Xie et al., ICLR 2019 (mild constraint)")
_cells("random", "Random", genotypes.RANDOM, "Pang et al., USENIX Security 2022", group="random")
_cells("darts-i", "DARTS-i", genotypes.DARTS_I, "Pang et al. 2022 (DARTS, deeper)", group="hardened")
_cells("darts-ii", "DARTS-ii", genotypes.DARTS_II, "Pang et al. 2022 (DARTS, no skips)", group="hardened")
_cells("darts-iii", "DARTS-iii", genotypes.DARTS_III, "Pang et al. 2022 (DARTS, both)", group="hardened")
_cells("advrush", "AdvRush", genotypes_robust.ADVRUSH, "Mok et al., ICCV 2021", group="robust_nas")
_cells("lrnas", "LRNAS", genotypes_robust.LRNAS, "Feng et al., TNNLS 2024 (CIFAR-10)", group="robust_nas")
_cells("racl", "RACL", genotypes_robust.RACL, "Dong et al., 2020", group="robust_nas")
_cells("robnet_large", "RobNet-large", genotypes_robust.ROBNET_LARGE, "Guo et al., CVPR 2020", group="robust_nas")
_cells("trnas", "TRNAS", genotypes_robust.TRNAS, "Feng et al., ICCV 2025 (CIFAR-10)", group="robust_nas")
_cells("wsrnet_plus", "WsrNet-Plus", genotypes_robust.WSRNET_PLUS, "Cheng et al., AAAI 2023", group="robust_nas")
# fmt: on


def same_cells(genotype: Genotype) -> str | None:
    """The name of the catalogue's architecture that has these cells, whatever the order of edges and of outputs."""
    wanted = _sorted(genotype)
    entries = ((name, CATALOGUE[name].genotype) for name in CATALOGUE)
    return next((name for name, own in entries if own is not None and _sorted(own) == wanted), None)


def _sorted(genotype: Genotype) -> tuple[object, ...]:
    cells = (genotype.normal, genotype.reduction)
    return tuple((tuple(tuple(sorted(node)) for node in cell.nodes), sorted(cell.concat)) for cell in cells)


def resolve(
    choice: ArchChoice,
    scale: Scale,
    classes: int,
    input_shape: tuple[int, int, int],
    protocol: Protocol = "sound",
) -> ArchSpec:
    """What to build for an architecture that a user named.

    Args:
        choice: a name of the catalogue, or a name of the user's own with a genotype or a model (group `custom`). The
            code of a Python model is looked at and not run.
        scale: decides channels and cells.
        classes: of the data.
        input_shape: (channels, height, width) of the data.
        protocol: decides what the edges of a cell network drop at `paper` scale, where the user did not say.

    Raises:
        UnknownNameError: no genotype came, and the catalogue does not have the name.
        SpecError: the name is the catalogue's and the genotype is another one; or an option that only cell
            networks have was given for a manual family.
    """
    name, group, genotype, family = _identify(choice)
    model = choice.model
    if model is not None and model.is_local:  # what changes is another model
        digest = code_digest if model.builder == "python" else kinds.digest
        model = model.model_copy(update={"sha256": digest(model.target)})
    normalise = choice.normalise
    if normalise is None:
        # Weights that were trained elsewhere keep the normalisation of their training.
        has_own = model is not None and model.builder != "nasbench201"
        normalise = "own" if has_own and choice.trained is not None else "dataset"
    channels, cells = CELL_SIZE[scale] if genotype is not None else (None, None)
    published = scale == "paper" and genotype is not None
    drop_path, dropout = choice.drop_path, choice.dropout
    if drop_path is None:
        drop_path = PAPER_DROP_PATH if published and protocol == "sound" else 0.0
    if dropout is None:
        dropout = PAPER_DROPOUT if published and protocol == "paper" else 0.0
    return ArchSpec.parse(
        {
            "name": name,
            "group": group,
            "scale": scale,
            "classes": classes,
            "input_shape": input_shape,
            "genotype": genotype,
            "init_channels": channels,
            "n_cells": cells,
            "auxiliary": choice.auxiliary,
            "drop_path": drop_path,
            "dropout": dropout,
            "model": model,
            "normalise": normalise,
            "family": family,
        },
        where=choice.name,
    )


def _identify(choice: ArchChoice) -> tuple[str, Group, Genotype | None, str | None]:
    """Name, group and genotype; and the manual family that an architecture of another name is."""
    if choice.name not in CATALOGUE:
        if choice.genotype is not None or choice.model is not None:
            return choice.name, choice.group or "custom", choice.genotype, None
        if choice.hardens is not None:  # the network of another one
            genotype = CATALOGUE[choice.hardens].genotype
            family = CATALOGUE.canonical(choice.hardens) if genotype is None else None
            return choice.name, choice.group or "hardened", genotype, family
    entry = CATALOGUE[choice.name]
    if choice.model is not None:
        raise SpecError("name", f"another name ({entry.title} is in the catalogue)", choice.name)
    if choice.genotype is not None and choice.genotype != entry.genotype:
        raise SpecError(
            "name", f"another name for this genotype ({entry.title} is in the catalogue)", choice.name
        )
    if choice.group not in (None, entry.group):
        raise SpecError("group", f"{entry.group}, as the catalogue has it", choice.group)
    return CATALOGUE.canonical(choice.name), entry.group, entry.genotype, None


def choose(architecture: str) -> ArchChoice:
    """An architecture as it is written on the command line.

    It is a name, a file of cells as this package or another tool writes it (`files.found`), a .py file that assigns
    genotypes, a genotype in the DARTS text form, or a model as `ModelSpec.read` takes it: `timm:NAME`,
    `torchvision:NAME`, a NAS-Bench-201 text, `pkg.module:build`, `path/file.py:build`, a file of ONNX or TorchScript,
    or `hf:FOLDER`, whose prefix may be left out.

    Raises:
        UnknownNameError: no such architecture; the message has the nearest names.
        GenotypeError: the file cannot be read, or it or the text does not describe a genotype.
    """
    if architecture.lstrip().startswith("Genotype("):
        return ArchChoice(name="genotype", genotype=Genotype.from_text(architecture))
    path = Path(architecture)
    if path.suffix in found.SUFFIXES and ":" not in architecture:
        cells = found.read_found(path)
        named = {"genotype": cells} if isinstance(cells, Genotype) else {"model": cells}
        return ArchChoice.parse({"name": path.stem, **named}, "architecture")
    if path.suffix in kinds.SUFFIXES and architecture not in CATALOGUE:
        kinds.refuse_weights(path)
    if architecture not in CATALOGUE and is_file(path / HF_CONFIG):
        architecture = f"hf:{architecture.rstrip('/')}"
    elif architecture not in CATALOGUE and found.is_autogluon(path):
        architecture = str(found.read_found(path))
    choice = ArchChoice.parse({"name": architecture}, "architecture")
    if choice.genotype is not None or choice.model is not None:
        return choice
    if path.suffix == ".py":
        raise SpecError(
            "architecture", f"the function after the file, as in {architecture}:build", architecture
        )
    return ArchChoice(name=CATALOGUE.canonical(architecture))
