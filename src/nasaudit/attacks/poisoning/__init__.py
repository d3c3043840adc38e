"""Poisoning: an attacker changes some of the images that a network learns from."""
