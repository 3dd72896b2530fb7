"""One-line errors: what was given, what is allowed, the nearest valid name."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable, Mapping
from typing import Any


def check_name(kind: str, name: str, allowed: Iterable[str]) -> str:
    """Returns `name` if it is one of `allowed`.

    Args:
      kind: what the name names, for the message, e.g. "data set".
      name: the given name.
      allowed: the valid names.

    Raises:
      ValueError: the name is not allowed; the message has the nearest valid one.
    """
    allowed = list(allowed)
    if name in allowed:
        return name
    raise ValueError(unknown_name(kind, name, allowed))


def unknown_name(kind: str, name: str, allowed: Iterable[str]) -> str:
    """Returns the message for an unknown `name`, with the nearest of the `allowed` ones."""
    allowed = list(allowed)
    near = difflib.get_close_matches(str(name), allowed, n=1, cutoff=0.5)
    folded = {text.lower(): text for text in allowed}  # for one in capitals
    near = near or [folded[text] for text in difflib.get_close_matches(str(name).lower(), folded)]
    hint = f": did you mean '{near[0]}'?" if near else "."
    shown = ", ".join(allowed[:20]) + (", ..." if len(allowed) > 20 else "")
    return f"unknown {kind} '{name}'{hint} Allowed: {shown}."


def check_range(
    name: str,
    value: float,
    low: float | None = None,
    high: float | None = None,
    *,
    exclusive_low: bool = False,
    exclusive_high: bool = False,
) -> float:
    """Returns `value` if it is a finite number between the bounds.

    Raises:
      TypeError: it is not a number.
      ValueError: it is outside the range, or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}.")
    too_low = low is not None and (value <= low if exclusive_low else value < low)
    too_high = high is not None and (value >= high if exclusive_high else value > high)
    if too_low or too_high or not abs(value) < float("inf"):
        allowed = _interval(low, high, exclusive_low, exclusive_high)
        is_low, is_high = too_low and not exclusive_low, too_high and not exclusive_high
        bound = low if is_low else high if is_high else None
        raise ValueError(f"{name} must be {allowed}, got {value}{nearest(bound)}.")
    return value


def nearest(number: float | None) -> str:
    """Returns the end of a message that says which allowed number is nearest, if there is one."""
    return "" if number is None else f"; the nearest allowed is {number}"


def check_integer(
    name: str, value: int, low: float | None = None, high: float | None = None
) -> int:
    """Returns `value` if it is an integer in [low, high].

    Raises:
      TypeError: it is not an integer.
      ValueError: it is outside the range.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    return check_range(name, int(value), low, high)


def check_unclaimed(kind: str, name: str, new: Any, claimed: Mapping[str, Any]) -> str:
    """Returns `name` if nothing else has it: what is defined anew keeps its own.

    Args:
      kind: what the name names, for the message.
      name: the name.
      new: the class or function that shall have it.
      claimed: what has which name already.

    Raises:
      ValueError: another class or function has it.
    """
    old = claimed.get(name, new)
    if (old.__module__, old.__qualname__) != (new.__module__, new.__qualname__):
        raise ValueError(f"{kind} '{name}' is {old.__module__}.{old.__qualname__} already.")
    return name


def _interval(
    low: float | None, high: float | None, exclusive_low: bool, exclusive_high: bool
) -> str:
    if low is None and high is None:
        return "finite"
    if high is None:
        return f"{'more than' if exclusive_low else 'at least'} {low}"
    if low is None:
        return f"{'less than' if exclusive_high else 'at most'} {high}"
    return f"in {'(' if exclusive_low else '['}{low}, {high}{')' if exclusive_high else ']'}"
