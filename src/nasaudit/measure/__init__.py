"""What was measured: estimates with intervals, their pooling over seeds, and the catalogue of metrics. No torch."""
