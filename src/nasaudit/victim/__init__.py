"""The two kinds of access to a victim: Classifier (white box) and Oracle (black box)."""
