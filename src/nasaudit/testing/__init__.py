"""For authors of attacks: tiny victims, synthetic data, a bench for work functions, inherited conformance suites."""
