"""What explains a vulnerability: the shape of the cells, how training converged."""
