"""What the fronts of searches come to, as `results.json` has it."""
