"""Statistics: arrays in, Estimates out. No torch."""
