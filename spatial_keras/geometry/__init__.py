"""Transformations of images: the set S, and T(x, t), which applies one of them."""
