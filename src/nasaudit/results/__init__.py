"""From records to results: rows, pooled rows, flags, and the folder that holds them. No torch."""
