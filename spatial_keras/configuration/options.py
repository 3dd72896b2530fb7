"""Configurations as frozen dataclasses: of each field its type, range, group and help in one place.

The flags of a script, its --help, flagfiles, "flags" in results.json and the checks of the values
all come from the fields. A field's annotation is its flag's type: str, int, float, bool, a tuple of
str, int or float, or one of these or None; `float | str` is a number or a percentage.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from spatial_keras.support import validation

_ELEMENTS = {"tuple[str, ...]": str, "tuple[int, ...]": int, "tuple[float, ...]": float}
_SCALARS = {"str": str, "int": int, "float": float, "bool": bool, "float | str": float}
# Of a shift: more of an image can hardly be meant.
_MOST_PERCENT = 50
_MOST = {int: 10**9, float: 1e30}
_UNITS = {"h": 3600, "m": 60, "s": 1}
_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
# Begins the names of data sets that are folders of images.
FOLDER = "folder:"
_NESTED, _OPTION, _REGISTERED = "nested", "option", "registered"

AnyConfig = TypeVar("AnyConfig", bound="Config")


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


def option(default: Any, group: str, help: str, **limits: Any) -> Any:
    """Returns a field of a configuration; see `Option` for the limits."""
    return dataclasses.field(default=default, metadata={_OPTION: Option(group, help, **limits)})


def registered(flags: Callable[[], Iterable[Flag]]) -> Any:
    """Returns a field of pairs (flag's name, value): of the flags set, of those that there are.

    Args:
      flags: returns the flags, whose default is None.
    """
    return dataclasses.field(default=(), metadata={_REGISTERED: flags})


def nested(kind: type[Config], without: Collection[str] = (), **defaults: Any) -> Any:
    """Returns a field that is a configuration of another kind; its flags stand beside the others.

    Args:
      kind: the other kind.
      without: its fields that have no flags here.
      **defaults: of its fields, where they differ here.
    """
    return dataclasses.field(
        default_factory=lambda: kind(**defaults),
        metadata={_NESTED: (kind, frozenset(without), defaults)},
    )


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
        high = self._most if high is None else high
        return min(max(number, -high if low is None else low), high)

    def _element(self, text: str) -> Any:
        return text if self.kind is str else _number(self.kind, text)

    def _wanted(self, text: str) -> str:
        kinds = {int: "integers", float: "numbers", str: "names"}[self.kind]
        kinds = kinds if self.option.count is None else f"{self.option.count} {kinds}"
        return f"--{self.name} must be {kinds} with commas between, got '{text}'."


@dataclasses.dataclass(frozen=True)
class Config:
    """A configuration; its values are checked when it is made.

    Raises:
      ValueError, TypeError: a value is not allowed, or values do not go together.
    """

    def __post_init__(self) -> None:
        for flag in own_flags(type(self)):
            flag.check(_value(self, flag))
        self.check()

    def check(self) -> None:
        """Raises ValueError if values do not go together."""

    def to_continue(self, typed: str) -> str | None:
        """Returns the command line that continues what another began; None where none does.

        Args:
          typed: the command line as it was typed.
        """
        return typed

    def without_effect(self) -> Mapping[str, str]:
        """Returns the flags that have no effect beside the others, each with when or why.

        It goes on after "has no effect ", such as "with --nobest_run".
        """
        return {}

    def check_effects(self, without_effect: Mapping[str, str] | None = None) -> None:
        """Raises ValueError if a flag is set that has no effect.

        Args:
          without_effect: such flags; those of this configuration by default.
        """
        reasons = self.without_effect() if without_effect is None else without_effect
        for flag in own_flags(type(self)):
            if flag.name in reasons and _value(self, flag) != flag.default:
                raise ValueError(f"--{flag.name} has no effect {reasons[flag.name]}.")

    def texts(self) -> dict[str, str]:
        """Returns what the results depend on: flag -> text, of the flags that are set."""
        found = {}
        for flag in all_flags(type(self)):
            value = _value(self, flag)
            if value is not None and flag.option.recorded:
                found[flag.name] = flag.text(value)
        return found


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


def seconds(text: str) -> float:
    """Returns the seconds that a text such as "2h", "1h30m" or "90s" says.

    Raises:
      ValueError: it does not say a time.
    """
    if not re.fullmatch(r"(?=.)(\d+h)?(\d+m)?(\d+s)?", text):
        raise ValueError(f"--max_time must be a time such as 2h, 1h30m or 90s, got '{text}'.")
    found = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(\w)", text))
    if not 0 < found <= 10**8:
        raise ValueError(f"--max_time must be more than 0s and at most 10^8 s, got '{text}'.")
    return found


def own_flags(kind: type[Config]) -> Iterator[Flag]:
    """Yields the flags of a kind of configuration, without those of nested ones."""
    for field in dataclasses.fields(kind):
        if _OPTION in field.metadata:
            annotation = field.type.removesuffix(" | None")
            is_tuple = annotation in _ELEMENTS
            element = _ELEMENTS[annotation] if is_tuple else _SCALARS[annotation]
            name = field.name.rstrip("_")
            option = field.metadata[_OPTION]
            yield Flag(name, field.name, element, is_tuple, field.default, option)
        elif _REGISTERED in field.metadata:
            for flag in field.metadata[_REGISTERED]():
                yield dataclasses.replace(flag, field=field.name, is_pair=True)


def all_flags(kind: type[Config]) -> list[Flag]:
    """Returns the flags of a kind of configuration and of those nested in it."""
    flags = list(own_flags(kind))
    names = {flag.name for flag in flags}
    for field in dataclasses.fields(kind):
        if _NESTED in field.metadata:
            inner, without, defaults = field.metadata[_NESTED]
            for flag in own_flags(inner):
                if flag.field not in without and flag.name not in names:
                    default = defaults.get(flag.field, flag.default)
                    flags.append(dataclasses.replace(flag, default=default, owner=field.name))
    return flags


def build(kind: type[AnyConfig], values: Mapping[str, Any]) -> AnyConfig:
    """Returns the configuration of these values of all its flags, by the flags' names."""
    own: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for flag in all_flags(kind):
        place = own if flag.owner is None else inner.setdefault(flag.owner, {})
        value = values[flag.name]
        if not flag.is_pair:
            place[flag.field] = value
        elif value is not None:
            place[flag.field] = (*place.get(flag.field, ()), (flag.name, value))
    for field in dataclasses.fields(kind):
        if field.name in inner:
            own[field.name] = field.metadata[_NESTED][0](**inner[field.name])
    return kind(**own)


def values(config: Config) -> dict[str, Any]:
    """Returns the values of all flags of a configuration, by the flags' names."""
    return {flag.name: _value(config, flag) for flag in all_flags(type(config))}


def from_texts(kind: type[AnyConfig], texts: Mapping[str, str]) -> AnyConfig:
    """Returns the configuration of which these are the `texts`; what is not there has its default.

    Raises:
      ValueError, TypeError: no such configuration has them.
    """
    flags = all_flags(kind)
    for name, text in texts.items():
        validation.check_name("flag", name, [flag.name for flag in flags if flag.option.recorded])
        if not isinstance(text, str):
            raise TypeError(f"--{name} must be a text, got {text!r}.")
    values = {
        flag.name: flag.parse(texts[flag.name]) if flag.name in texts else flag.default
        for flag in flags
    }
    return build(kind, values)


def differences(first: Config, second: Config) -> dict[str, tuple[str, str]]:
    """Returns the recorded flags in which two configurations of one kind differ, as texts."""
    found = {}
    for flag in all_flags(type(first)):
        values = _value(first, flag), _value(second, flag)
        if flag.option.recorded and values[0] != values[1]:
            found[flag.name] = tuple(
                "not set" if value is None else flag.text(value) for value in values
            )
    return found


def contrast(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Returns in words the flags in which two mappings from flags to texts differ."""
    unset = "not set"
    return "; ".join(
        f"--{name} is {there.get(name, unset)} there, {here.get(name, unset)} here"
        for name in sorted({*there, *here})
        if there.get(name, unset) != here.get(name, unset)
    )


def _value(config: Config, flag: Flag) -> Any:
    value = getattr(config if flag.owner is None else getattr(config, flag.owner), flag.field)
    return dict(value).get(flag.name) if flag.is_pair else value
