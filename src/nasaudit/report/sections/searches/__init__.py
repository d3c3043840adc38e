"""The section of the report on searches: what they found, beside random cells, and the way that they went."""
