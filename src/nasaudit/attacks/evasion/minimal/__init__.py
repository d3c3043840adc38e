"""Attacks that look for the nearest adversarial example by the gradients of a victim."""
