"""One-line errors, files written whole or not at all, and the differences between Keras 2 and 3."""
