"""Where tasks run: one small protocol, and an executor in a file of its own for each kind of place."""
