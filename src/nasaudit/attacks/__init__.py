"""Attacks, by the moment at which they act; each in a file of its own."""
