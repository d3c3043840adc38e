"""Mitigations: from a genotype to one that is harder to attack. No torch."""
