"""Errors that several rooms raise or expect."""

from __future__ import annotations


class NonFiniteError(ValueError):
    """A classifier's outputs are not finite numbers."""


class DivergedError(ArithmeticError):
    """The loss, a weight or the outputs of a run are no longer finite numbers."""
