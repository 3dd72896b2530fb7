"""The commands: spatial-keras NAME, python -m spatial_keras NAME, or a clone's scripts/NAME.py.

What a command does is `main` of the module of its name, which loads TensorFlow; --help, --version
and mistakes in flags do without.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Sequence

import spatial_keras
from spatial_keras.commands import own_modules, running
from spatial_keras.configuration import command_line
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.configuration.options import Config
from spatial_keras.configuration.plot_config import PlotConfig
from spatial_keras.configuration.report_config import ReportConfig
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.configuration.table_config import TableConfig
from spatial_keras.configuration.tune_config import TuneConfig
from spatial_keras.configuration.zoo_config import ZooConfig
from spatial_keras.support import environment, validation


@dataclasses.dataclass(frozen=True)
class Command:
    """What there is to know of a command before it runs.

    Attributes:
      config: the configuration that its flags describe.
      does: what it does, in a sentence.
      examples: flags to try.
    """

    config: type[Config]
    does: str
    examples: Sequence[str]


COMMANDS = {
    "train": Command(
        RunConfig,
        "Trains a classifier that withstands rotations and translations, and says how well it "
        "does.",
        ["--dataset=cifar10 --defense=wo10_kl", "--flagfile=flags/digits/wo10_kl.flags"],
    ),
    "evaluate": Command(
        EvaluateConfig,
        "Says how robust a classifier is to rotations and translations.",
        [
            "--run=runs/digits/resnet8_wo10_kl_seed0",
            "--model=some.keras --dataset=digits --limit=100",
            "--model=zoo:digits_resnet8_wo10_kl",
        ],
    ),
    "table": Command(
        TableConfig,
        "Trains defenses side by side, with several seeds each, and writes the paper's table of "
        "them.",
        ["--dataset=digits --defenses=std,std_star,wo10_kl --seeds=3"],
    ),
    "tune": Command(
        TuneConfig,
        "Searches for the regularizer's weight, the learning rate and k with KerasTuner.",
        ["--dataset=digits --max_trials=4"],
    ),
    "plot": Command(
        PlotConfig,
        "Draws the paper's figures from runs of train and table.",
        [
            "--all --runs=runs/tables/digits --run=runs/digits/resnet8_std_seed0",
            "--figures=cost,lambda --runs=runs/tables/cifar10",
        ],
    ),
    "report": Command(
        ReportConfig,
        "Writes one HTML page about finished runs: the table, the figures, how each was made.",
        [
            "--runs=runs/tables/digits",
            "--runs=runs/tables/cifar10 --nobest_run",
            "--runs=runs --compare=wo10_at,wo10_kl",
        ],
    ),
    "zoo": Command(
        ZooConfig,
        "Shows the trained classifiers that come with this package, and how robust they are.",
        ["--leaderboard=leaderboard.md --cards=mine.json"],
    ),
}
_HELP = ("--help", "-h", "--helpshort")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command; a mistake ends the program with one line and exit code 2.

    Args:
      arguments: the command's name and its flags; by default those of this process.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    name, *flags = arguments or ["--help"]
    if name in _HELP:
        sys.stdout.write(_overview())
        return
    if name == "--version":
        sys.stdout.write(f"spatial_keras {spatial_keras.__version__}\n")
        return
    with running.mistakes_refused():
        validation.check_name("command", name, COMMANDS)
    command = COMMANDS[name]
    if {*_HELP} & {*flags}:
        with running.mistakes_refused(), environment.quiet_tensorflow():
            own_modules.load(flags)
        sys.stdout.write(_help(name, command))
    else:
        running.run(lambda: importlib.import_module(f"{__name__}.{name}"), command.config, flags)


def _overview() -> str:
    lines = [f"  {name:10}{command.does}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "Usage: spatial-keras COMMAND [--FLAG=VALUE ...]",
            "       python -m spatial_keras COMMAND [--FLAG=VALUE ...]",
            "",
            *lines,
            "",
            "COMMAND --help: what its flags are; --version: which version this is.",
            "",
        ]
    )


def _help(name: str, command: Command) -> str:
    examples = [f"  spatial-keras {name} {flags}" for flags in command.examples]
    head = "\n".join([command.does, "", "Examples:", *examples, ""])
    return head + command_line.help_text(command.config)
