"""Studies: from a spec to a plan of tasks, to records, to results."""
