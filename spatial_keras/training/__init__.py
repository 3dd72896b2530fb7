"""The method of the paper: losses, searches, the model whose step searches, its defenses."""

# What is imported here is found by name; --help shows the flags in this order.
# isort: off
from spatial_keras.training import worst_of_k, gradient_search, grid_search  # noqa: F401
