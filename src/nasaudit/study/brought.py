"""What users bring, models and weights, is tried before a study begins. torch is imported only if there is any."""

from nasaudit.study.plan import Plan


def check_brought(planned: Plan) -> None:
    """Build each model that was brought, try what will be done with it, and fill in the weights that came with it.

    Raises:
        InputError: a model fails, or weights do not fit: bad input, and no failed task.
    """
    tried: set[str] = set()
    for victim in planned.victims:
        architecture, weights = victim.architecture, victim.weights
        if architecture.name in tried or (architecture.model is None and weights is None):
            continue
        from nasaudit.arch.network import check
        from nasaudit.training.checkpoint import load_given

        tried.add(architecture.name)
        network = check(architecture)
        if weights is not None:
            load_given(weights, network)
