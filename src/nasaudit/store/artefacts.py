"""The files that tasks leave beside their records: the names under which one task finds what another one wrote."""

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
PICTURES = "pictures.npz"  # a few images before and after (backdoors: with their trigger), to look at
NOTES = (
    "notes.txt"  # of a trial, which has no record: what was done to make given weights fit, a sentence a line
)
