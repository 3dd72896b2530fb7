"""A flag: what there is to know of it, its value from a text, and what is wrong with a value."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any

from spatial_keras.support import validation

# Of a shift: more of an image can hardly be meant.
_MOST_PERCENT = 50
_MOST = {int: 10**9, float: 1e30}
_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
# Begins the names of data sets that are folders of images.
FOLDER = "folder:"


@dataclasses.dataclass(frozen=True)
class Option:
    """What there is to know of a field of a configuration, beside its name, type and default.

    Attributes:
      group: the heading under which --help shows it.
      help: what it is, with its unit.
      low: the smallest number allowed.
      high: the largest number allowed.
      exclusive_low: whether `low` itself is not allowed.
      exclusive_high: whether `high` itself is not allowed.
      most: the largest size that anybody can mean; by default 10^9 for integers, 10^30 for numbers.
      choices: the texts allowed.
      count: how many numbers or texts there must be.
      distinct: whether none of them may be there twice.
      percent: whether a percentage, such as "10%", is allowed in the place of a number.
      is_path: whether it is a path, or folder:PATH; a ~ at its beginning is the home.
      recorded: whether results may depend on it; the others say where files lie or what is shown.
      check: check(name, value) raises ValueError or TypeError for what these let pass.
    """

    group: str
    help: str
    low: float | None = None
    high: float | None = None
    exclusive_low: bool = False
    exclusive_high: bool = False
    most: float | None = None
    choices: tuple[str, ...] | None = None
    count: int | None = None
    distinct: bool = False
    percent: bool = False
    is_path: bool = False
    recorded: bool = True
    check: Callable[[str, Any], Any] | None = None


@dataclasses.dataclass(frozen=True)
class Flag:
    """A field of a configuration as a flag.

    Attributes:
      name: of the flag: the field's, without the underscore that keeps it apart from a keyword.
      field: the field's name.
      kind: str, int, float, bool, or for a tuple the type of its elements.
      is_tuple: whether it is a tuple, written with commas between.
      default: its default value.
      option: its group, help and limits.
      owner: the field of the nested configuration that it belongs to, if any.
      is_pair: whether the field holds pairs, of which it is one (`registered`).
    """

    name: str
    field: str
    kind: type
    is_tuple: bool
    default: Any
    option: Option
    owner: str | None = None
    is_pair: bool = False

    @property
    def is_switch(self) -> bool:
        """Whether it is true or false, and may stand without a value."""
        return self.kind is bool and not self.is_tuple

    def text(self, value: Any) -> str:
        """Returns a value as it is written on the command line."""
        if self.is_tuple:
            return ",".join(f"{x:g}" if isinstance(x, float) else str(x) for x in value)
        return str(value)

    def parse(self, text: str) -> Any:
        """Returns the value that a text is, such as 5, or for a tuple "5,5,31"; 10% stays a text.

        Raises:
          ValueError: it is not of numbers, where it has to be.
        """
        if self.option.is_path:
            prefix = FOLDER if text.startswith(FOLDER) else ""
            return prefix + os.path.expanduser(text.removeprefix(prefix))
        if self.is_switch:
            if text.lower() not in _TRUTHS:
                raise ValueError(f"--{self.name} must be true or false, got '{text}'.")
            return _TRUTHS[text.lower()]
        if not self.is_tuple:
            is_percentage = self.option.percent and text.endswith("%")
            try:
                return f"{_number(float, text[:-1]):g}%" if is_percentage else self._element(text)
            except ValueError:
                wanted = "an integer" if self.kind is int else "a number"
                wanted += " or a percentage" if self.option.percent else ""
                hint = validation.nearest(self._nearest_integer(text))
                raise ValueError(f"--{self.name} must be {wanted}, got '{text}'{hint}.") from None
        parts = [part.strip() for part in text.split(",")] if text else []
        try:
            return tuple(map(self._element, parts))
        except ValueError:
            raise ValueError(self._wanted(text)) from None

    def check(self, value: Any) -> None:
        """Raises ValueError or TypeError if the value is not allowed."""
        option = self.option
        if value is None and self.default is None:
            return
        if self.is_tuple:
            if not value or option.count not in (None, len(value)):
                raise ValueError(self._wanted(self.text(value)))
            for each in value:
                self._check_one(each)
                if option.distinct and value.count(each) > 1:
                    raise ValueError(f"--{self.name} has '{each}' {value.count(each)} times.")
        else:
            self._check_one(value)
        if option.check is not None:
            option.check(f"--{self.name}", value)

    def _check_one(self, value: Any) -> None:
        option, name = self.option, f"--{self.name}"
        if option.percent and isinstance(value, str):
            validation.check_range(f"{name} in %", percentage(value), 0, _MOST_PERCENT)
            return
        if option.choices:
            validation.check_name(name, value, option.choices)
        if self.kind is str and (not value or "\0" in value):
            raise ValueError(f"{name} must be a text that is not empty, got {value!r}.")
        if self.kind is int:
            validation.check_integer(name, value, option.low, option.high)
        elif self.kind is float:
            validation.check_range(
                name,
                value,
                option.low,
                option.high,
                exclusive_low=option.exclusive_low,
                exclusive_high=option.exclusive_high,
            )
        if self._most is not None:
            least = -self._most if option.low is None else None
            validation.check_range(name, value, least, self._most)

    @property
    def _most(self) -> float | None:
        option = self.option
        if option.high is not None:
            return None
        return _MOST.get(self.kind) if option.most is None else option.most

    def _nearest_integer(self, text: str) -> int | None:
        """Returns the allowed integer nearest to the number that a text is, if it is one."""
        if self.kind is not int:
            return None
        try:
            number = round(float(text))
        except (ValueError, OverflowError):
            return None
        low, high = self.option.low, self.option.high
        high = self.option.most or _MOST[int] if high is None else high
        return int(min(max(number, -high if low is None else low), high))

    def _element(self, text: str) -> Any:
        return text if self.kind is str else _number(self.kind, text)

    def _wanted(self, text: str) -> str:
        kinds = {int: "integers", float: "numbers", str: "names"}[self.kind]
        kinds = kinds if self.option.count is None else f"{self.option.count} {kinds}"
        return f"--{self.name} must be {kinds} with commas between, got '{text}'."


def _number(kind: type, text: str) -> Any:
    """Returns the number that a text is, in digits that other programs read, too."""
    if not text.isascii() or "_" in text:
        raise ValueError(f"{text!r} is no number")
    return kind(text)


def percentage(text: str) -> float:
    """Returns the number before the % of a text.

    Raises:
      ValueError: it is no percentage.
    """
    try:
        return float(text.removesuffix("%") if text.endswith("%") else "")
    except ValueError:
        raise ValueError(f"a percentage must be a number with %, got {text!r}.") from None
