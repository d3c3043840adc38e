"""What an attack is given of a victim: its threat model, as a type."""

from nasaudit.spec.attacks import EvasionSpec
from nasaudit.victim.classifier import Classifier
from nasaudit.victim.oracle import Oracle


def open_access(spec: EvasionSpec, classifier: Classifier) -> Classifier | Oracle:
    """The victim as the spec's threat model has it: see `EvasionSpec`."""
    if spec.threat_model == "white_box":
        return classifier
    return Oracle(classifier, output="probabilities" if spec.threat_model == "score_based" else "label")
