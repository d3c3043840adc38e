"""The loss on planes and lines through a victim."""
