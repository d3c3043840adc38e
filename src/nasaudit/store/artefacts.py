"""The files that tasks leave beside their records: the names under which one task finds what another one wrote."""

from pathlib import Path

from nasaudit.store.files import sha256, sync
from nasaudit.store.records import Artefact

WEIGHTS = "weights.safetensors"  # a trained victim, with its ArchSpec
EARLY_WEIGHTS = "weights_epoch1.safetensors"  # the same victim after its first epoch
HISTORY = "history.json"  # its training, by step
OUTCOMES = "outcomes.npz"  # whether it gets each test image right
EVASION = "evasion.npz"  # what became of each attacked image
EXAMPLES = "examples.npz"  # a few adversarial examples, to look at
POISON = (
    "poison.npz"  # source index, new label and (where they change) new pixels of each poisoned training image
)
CURVES = "curves.json"  # lines to draw that are no rows: [{"name", "setting", "x", "y"}, ...]
LANDSCAPES = "landscapes.json"  # the loss on planes: [{"name", "setting", "x", "y", "z"}, ...]
SCORES = "scores.npz"  # what a membership attack said of each image, and whether it is a member
FOUND = "found.json"  # the cells that a search found, with provenance, and what it went through
PICTURES = "pictures.npz"  # a few images before and after (backdoors: with their trigger), to look at
NOTES = (
    "notes.txt"  # of a trial, which has no record: what was done to make given weights fit, a sentence a line
)


def describe(workspace: Path) -> dict[str, Artefact]:
    """Sync and describe every file of a workspace, by its path within it."""
    artefacts = {}
    files = sorted(path for path in workspace.rglob("*") if path.is_file() and not path.is_symlink())
    for folder in {path.parent for path in files} - {workspace}:  # that one is synced after its last file
        sync(folder)
    for path in files:
        sync(path)
        name = path.relative_to(workspace).as_posix()
        artefacts[name] = Artefact(file=name, sha256=sha256(path), bytes=path.stat().st_size)
    return artefacts
