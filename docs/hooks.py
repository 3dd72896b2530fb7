"""What MkDocs puts into the pages: flags, from the commands' configurations, and notebooks."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from spatial_keras.commands import COMMANDS
from spatial_keras.configuration import options
from spatial_keras.configuration.options import Flag, Option

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_README = pathlib.Path(__file__).parents[1] / "README.md"
_FLAGS = re.compile(r"^<!-- flags: (\w+) -->$", re.MULTILINE)
_DEFENSES = re.compile(r"^\| name \| in the paper .*\n(?:\|.*\n)+", re.MULTILINE)
_KINDS = {str: "text", int: "integer", float: "number", bool: "true or false"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Makes a page of each notebook, with its outputs as they are in the file."""
    from mkdocs.structure.files import File  # not needed for the flags
    from nbconvert import MarkdownExporter

    for notebook in [file for file in files if file.src_uri.endswith(".ipynb")]:
        name = notebook.src_uri.removesuffix(".ipynb")
        wanted = {"output_files_dir": f"{name}_files"}
        text, made = MarkdownExporter().from_filename(notebook.abs_src_path, wanted)
        files.append(File.generated(config, f"{name}.md", content=text))
        for path, picture in made["outputs"].items():
            files.append(File.generated(config, path, content=picture))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to the notebooks' pages; puts flags and the table of defenses where they belong."""
    table = _DEFENSES.search(_README.read_text(encoding="utf-8"))[0]
    markdown = markdown.replace("<!-- table of defenses -->\n", table)
    return with_flags(markdown.replace(".ipynb)", ".md)"))


def with_flags(markdown: str) -> str:
    """Returns a page with the flags of command NAME in the place of <!-- flags: NAME -->."""
    return _FLAGS.sub(lambda match: command_flags(match[1]), markdown)


def command_flags(command: str) -> str:
    """Returns the flags of a command: a table for each group, then those it has from train."""
    flags = options.all_flags(config_of(command))
    groups: dict[str, list[Flag]] = {}
    for flag in flags:
        if flag.owner is None:
            groups.setdefault(flag.option.group, []).append(flag)
    tables = [_table(group, members) for group, members in groups.items()]
    if any(flag.owner for flag in flags):
        tables.append(_from_train(flags))
    return "\n".join(tables)


def config_of(command: str) -> type[options.Config]:
    """Returns the configuration of a command."""
    return COMMANDS[command].config


def _table(group: str, flags: Iterable[Flag]) -> str:
    head = f"| {group} | what it is | allowed | default |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `--{flag.name}` | {flag.option.help} | {_allowed(flag)} | {_default(flag)} |\n"
        for flag in flags
    )


def _default(flag: Flag) -> str:
    return "" if flag.default is None else f"`{flag.text(flag.default)}`"


def _allowed(flag: Flag) -> str:
    if flag.option.choices:
        return ", ".join(f"`{choice}`" for choice in flag.option.choices)
    kind = _KINDS[flag.kind]
    if flag.is_tuple:
        kind = f"{flag.option.count or 'some'} {kind}s with commas between"
    found = ", ".join([kind, *_limits(flag.option)])
    return f"{found}; or a percentage" if flag.option.percent else found


def _limits(option: Option) -> list[str]:
    low, high = option.low, option.high
    if None not in (low, high) and not option.exclusive_low | option.exclusive_high:
        return [f"{low} to {high}"]
    words = ("above" if option.exclusive_low else "at least", low)
    more = ("below" if option.exclusive_high else "at most", high)
    return [f"{word} {value}" for word, value in (words, more) if value is not None]


def _from_train(flags: Iterable[Flag]) -> str:
    train = {flag.name: flag for flag in options.all_flags(config_of("train"))}
    missing = train.keys() - {flag.name for flag in flags}
    defaults = [
        f"`--{flag.name}={flag.text(flag.default)}`"
        for flag in flags
        if flag.owner and flag.default != train[flag.name].default
    ]
    text = "All flags of [train](#train) too"
    if missing:
        text += f", except {_listed([f'`--{name}`' for name in train if name in missing])}"
    return f"{text}; by default {_listed(defaults)}.\n" if defaults else f"{text}.\n"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
