"""Backdoors: a model that does as it should, until it sees the trigger."""
