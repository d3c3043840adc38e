"""Everything that decides: headlines, groups, claims, remedies. No torch."""
