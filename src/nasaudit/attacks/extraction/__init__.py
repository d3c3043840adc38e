"""Extraction: a thief rebuilds the victim from its answers."""
