"""The manual families: as numbers, and as networks."""
