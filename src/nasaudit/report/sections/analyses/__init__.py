"""The sections of the analyses."""
