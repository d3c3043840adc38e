"""Every analysis keeps the rules of analyses."""

from nasaudit.spec.analyses import GradientsSpec, LandscapeSpec, SmoothnessSpec, TopologySpec
from nasaudit.spec.tasks import ConvergenceTask, GradientsTask, LandscapeTask, SmoothnessTask, TopologyTask
from nasaudit.testing.analysis import AnalysisConformance


class TestTopology(AnalysisConformance):
    metrics = frozenset({"parameters", "parameter_share", "flops", "flop_share", "receptive_field"})

    def task(self, victim):
        return TopologyTask(architecture=victim.architecture, analysis=TopologySpec(images=4))


class TestConvergence(AnalysisConformance):
    metrics = frozenset({"loss_area", "steps_to_accuracy", "early_accuracy"})

    def task(self, victim):
        return ConvergenceTask(victim=victim)


class TestGradients(AnalysisConformance):
    metrics = frozenset(
        {
            "gradient_std_sum", "gradient_variance", "gradient_variance_per_parameter", "layer_gradient_variance",
            "relative_gradient_variance",
        }
    )  # fmt: skip

    def task(self, victim):
        return GradientsTask(victim=victim, analysis=GradientsSpec(images=8, batches=3, batch_size=8))


class TestSmoothness(AnalysisConformance):
    metrics = frozenset({"gradient_lipschitz", "hessian_top", "hessian_trace"})

    def task(self, victim):
        spec = SmoothnessSpec(
            images=8, probes=1, iterations=2, input_images=4, input_iterations=2, directions=1
        )
        return SmoothnessTask(victim=victim, analysis=spec)


class TestLandscape(AnalysisConformance):
    metrics = frozenset({"loss_rise", "barrier"})

    def task(self, victim):
        spec = LandscapeSpec(images=8, points=3, slice_points=3, norm_images=16)
        return LandscapeTask(victim=victim, other=victim.model_copy(update={"seed": 1}), analysis=spec)
