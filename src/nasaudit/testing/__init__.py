"""For authors of plugins: tiny victims, synthetic data, a bench for work functions, inherited conformance suites."""
