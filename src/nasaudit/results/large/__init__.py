"""Results of very many tasks: rows and records that are read when one is wanted. No torch."""
