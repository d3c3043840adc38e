"""A study's folder as a live page, read again while a run fills it. Nothing is written, nothing executed."""
