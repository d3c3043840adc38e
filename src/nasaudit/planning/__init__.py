"""From a study to its tasks. No torch."""
