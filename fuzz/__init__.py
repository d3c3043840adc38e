"""Hostile files of every kind that nasaudit reads, made from good ones by a seed: `make fuzz`."""
