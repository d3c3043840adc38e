"""The sections of the five attack families."""
