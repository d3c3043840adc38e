"""For authors of attacks: tiny victims, synthetic data and inherited conformance suites."""
