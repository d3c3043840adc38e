"""Evasion: images changed at prediction time."""
