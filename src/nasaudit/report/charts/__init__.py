"""The charts of the report: plain records in, Altair charts out."""
