"""Networks as plain functions (image_shape, classes) -> nn.Module that returns logits [N, C].

The catalogue names them without importing torch; ``model_function`` imports the one that is asked for.
"""
