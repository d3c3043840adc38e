"""Every analysis keeps the rules of analyses."""

from nasaudit.spec.analyses import (
    ConvergenceSpec,
    GradientsSpec,
    LandscapeSpec,
    SmoothnessSpec,
    TopologySpec,
)
from nasaudit.testing.analysis import AnalysisConformance


class TestTopology(AnalysisConformance):
    def analysis(self):
        return TopologySpec(images=4)


class TestConvergence(AnalysisConformance):
    def analysis(self):
        return ConvergenceSpec()


class TestGradients(AnalysisConformance):
    def analysis(self):
        return GradientsSpec(images=8, batches=3, batch_size=8)


class TestSmoothness(AnalysisConformance):
    def analysis(self):
        return SmoothnessSpec(
            images=8, probes=1, iterations=2, input_images=4, input_iterations=2, directions=1
        )


class TestLandscape(AnalysisConformance):
    def analysis(self):
        return LandscapeSpec(images=8, points=3, slice_points=3, norm_images=16)
