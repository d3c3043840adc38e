"""Attacks that see the answers of a victim alone: scores, or labels."""
