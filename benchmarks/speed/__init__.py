"""One table: each workload of nasaudit beside a peer that does the same work, as a ratio."""
