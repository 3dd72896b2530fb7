"""The configuration of a table of defenses: what table.py's flags say, typed and checked."""

from __future__ import annotations

import dataclasses
import pathlib

from spatial_keras.configuration.options import Config, nested, option
from spatial_keras.configuration.run_config import RunConfig, find_defense


@dataclasses.dataclass(frozen=True)
class TableConfig(Config):
    """A table of defenses; each field is a flag of table.py, beside those of its runs."""

    defenses: tuple[str, ...] = option(
        None,
        "Table",
        "Rows of the table of defenses with commas between, e.g. std,std_star,wo10_kl.",
        distinct=True,
    )
    seeds: int = option(
        3, "Table", "Runs of each defense, with the seeds 0, 1, ...", low=1, most=1000
    )
    output_dir: str | None = option(
        None,
        "Table",
        "Folder of the table and of its runs, in which the same command continues; default: "
        "runs/tables/DATASET.",
        is_path=True,
        recorded=False,
    )
    run: RunConfig = nested(RunConfig, without=("defense", "seed"))

    def check(self) -> None:
        """Raises ValueError if there are no defenses, or flags have no effect on any of them."""
        if not self.defenses:
            raise ValueError("give --defenses=NAME,NAME,..., e.g. --defenses=std,std_star,wo10_kl.")
        runs = [self.run.for_defense(find_defense(name)) for name in self.defenses]
        on_none = set.intersection(*(set(run.without_effect()) for run in runs))
        reason = f"on any of --defenses={','.join(self.defenses)}"
        self.run.check_effects(dict.fromkeys(on_none, reason))

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the table and of its runs."""
        return pathlib.Path(self.output_dir or f"runs/tables/{self.run.dataset_name}")

    def runs(self) -> list[RunConfig]:
        """Returns the configurations of the runs, defense by defense."""
        found = [
            self.run.for_defense(find_defense(name), seed=seed)
            for name in self.defenses
            for seed in range(self.seeds)
        ]
        return [dataclasses.replace(run, output_dir=str(self.folder / run.name)) for run in found]
