"""The files that tasks leave beside their records: the names under which one task finds what another one wrote."""

WEIGHTS = "weights.safetensors"  # a trained victim, with its ArchSpec
HISTORY = "history.json"  # its training, by step
OUTCOMES = "outcomes.npz"  # whether it gets each test image right
EVASION = "evasion.npz"  # what became of each attacked image
EXAMPLES = "examples.npz"  # a few adversarial examples, to look at
