"""Training: one loop, checkpoints, and the work of a TrainTask."""
