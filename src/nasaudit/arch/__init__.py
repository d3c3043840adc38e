"""Genotypes and manual families, and the networks that they describe.

`catalogue`, `genotypes`, `families` and `drawing` import no torch.
"""
