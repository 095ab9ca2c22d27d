"""Posterior and acquisition over a pool of any size, and the same posterior over a test set."""
