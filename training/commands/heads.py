"""The command that compares ways to train the layers over the branches of a paired encoder."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import typer
from rich.table import Table

from training.commands.options import (
    DEFAULT_BUILD,
    DEFAULT_CONFIG,
    BuildOption,
    ConfigOption,
    DataOption,
    console,
    open_experiment,
)
from training.config import Config
from training.data.errors import DataError

# What differs from the config, as [section]: {field: value}. A tiny learning rate leaves the layer as it is.
UNTRAINED: Final = {"training": {"steps": 1, "learning_rate": 1e-12}}
VARIANTS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    "the config": {},
    "not trained": UNTRAINED,
    "not trained, SFace alone": {**UNTRAINED, "head": {"retail_share": 0.0}, "network": {"embedding_dim": 128}},
    "not trained, retail-0095 alone": {**UNTRAINED, "head": {"retail_share": 1.0}},
    "no impostors of All-Age-Faces": {"head": {"impostor_weight": 0.0}},
    "no degraded crops": {"head": {"degraded_weight": 0.0}},
    "both networks alike": {"head": {"retail_share": 0.5}},
    "held less": {"head": {"hold": 1e-3}},
    "held more": {"head": {"hold": 1e-2}},
    "128 numbers": {"network": {"embedding_dim": 128}},
    "384 numbers": {"network": {"embedding_dim": 384}},
}

app = typer.Typer()


@app.command()
def heads(config: ConfigOption = DEFAULT_CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """Trains the layers over the branches in several ways and prints what validation says of each: the table from which
    the config was chosen. Features and finished runs are kept below the build folder."""
    from training.commands.encoder_training import train_experiment
    from training.encoder.factory import load_best_encoder

    experiment = open_experiment(config, data, build)
    if experiment.config.head is None:
        raise DataError(f"{experiment.config.name} has no [head]. Name the config of a paired encoder.")
    table: Table | None = None
    for name, changes in VARIANTS.items():
        varied = replace(experiment, config=vary(experiment.config, changes))
        run = build / "runs" / "heads" / name.replace(" ", "-").replace(",", "")
        train_experiment(varied, varied.split, run)
        _, checkpoint = load_best_encoder(varied.config, run)
        best = {key: value for key, value in checkpoint["history"][-1].items() if key not in ("step", "score")}
        table = table or Table("variant", *best, title="Validation people, at the threshold that strangers allow")
        table.add_row(name, *(f"{value:.2g}" if "fmr" in key else f"{value:.4f}" for key, value in best.items()))
    console.print(table)


def vary(config: Config, changes: Mapping[str, Mapping[str, Any]]) -> Config:
    """The config with other values of some fields."""
    sections = {section: replace(getattr(config, section), **fields) for section, fields in changes.items()}
    return replace(config, **sections)
