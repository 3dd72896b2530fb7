"""The method of the paper: losses, searches, the model whose step searches, its defenses."""
