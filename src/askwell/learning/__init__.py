"""Fit a network to few labels: the recipe (network and training settings), augmentation, and the supervised learner."""
