"""Configurations as frozen dataclasses: of each field its type, range, group and help in one place.

The flags of a script, its --help, flagfiles, "flags" in results.json and the checks of the values
all come from the fields. A field's annotation is its flag's type: str, int, float, bool, a tuple of
str, int or float, or one of these or None; `float | str` is a number or a percentage.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from spatial_keras.configuration.flag import Flag, Option
from spatial_keras.support import validation

_ELEMENTS = {"tuple[str, ...]": str, "tuple[int, ...]": int, "tuple[float, ...]": float}
_SCALARS = {"str": str, "int": int, "float": float, "bool": bool, "float | str": float}
_UNITS = {"h": 3600, "m": 60, "s": 1}
_NESTED, _OPTION, _REGISTERED = "nested", "option", "registered"

AnyConfig = TypeVar("AnyConfig", bound="Config")


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
            there, here = ("not set" if value is None else flag.text(value) for value in values)
            found[flag.name] = there, here
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
