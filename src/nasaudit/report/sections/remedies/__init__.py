"""The section of remedies."""
