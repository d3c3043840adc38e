"""Frozen specs: what can be asked for, checked, and hashed. No torch."""
