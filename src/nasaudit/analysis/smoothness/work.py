"""The work of the analysis `smoothness`: from a victim to its measurements."""

from typing import cast

from nasaudit.analysis.frozen import frozen
from nasaudit.analysis.smoothness.estimates import input_smoothness, parameter_smoothness
from nasaudit.analysis.smoothness.second_derivatives import check_independent, check_second_derivatives
from nasaudit.data.load import chosen
from nasaudit.errors import SecondDerivativeError
from nasaudit.measure.estimate import Measurement
from nasaudit.progress import part
from nasaudit.spec.analyses import SmoothnessSpec
from nasaudit.spec.tasks import VictimAnalysisTask
from nasaudit.store.workspace import Workspace
from nasaudit.training.work import load_victim


def measure_smoothness(task: VictimAnalysisTask, workspace: Workspace) -> list[Measurement]:
    """`gradient_lipschitz`, `hessian_top` and `hessian_trace` by the parameters and by the pixels.

    Training images for the parameters, test images for the pixels: the same for every architecture. A network
    with a layer that has no second derivative gets its Hessian-vector products from differences of the gradient,
    and its rows have `how=finite_difference`.

    Raises:
        NonFiniteError: a gradient or a Hessian-vector product is NaN or infinite.
        MeasurementError: the loss of an image depends on the other images of its batch.
    """
    spec = cast(SmoothnessSpec, task.analysis)
    victim, bundle = load_victim(task.victim, workspace)
    network = frozen(victim, workspace.device)
    seeds = (task.victim.data.seed, spec.seed)
    train = chosen(bundle.train, spec.images, "smoothness", *seeds).tensors(workspace.device)
    test = chosen(bundle.test, spec.input_images, "smoothness input", *seeds).tensors(workspace.device)
    workspace.progress(0.0, "second derivatives of each layer")
    check_independent(network, *test)
    exact, text = True, ""
    try:
        check_second_derivatives(network, test[0])
    except SecondDerivativeError as error:
        exact, text = False, f" ({error})"
    by_parameters = parameter_smoothness(
        network, *train, spec, exact=exact, progress=part(workspace.progress, 0.0, 0.7, text)
    )
    by_pixels = input_smoothness(
        network, *test, spec, exact=exact, progress=part(workspace.progress, 0.7, 1.0, text)
    )
    return by_parameters + by_pixels
