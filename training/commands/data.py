"""The commands that fetch photos and carry prepared crops to another machine."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import (
    DEFAULT_BUILD,
    DEFAULT_CONFIG,
    BuildOption,
    ConfigOption,
    DataOption,
    console,
    open_experiment,
)
from training.config import display_path
from training.data.sets.celeba import Partition, arrange_by_person
from training.data.sets.lfw import download_lfw

app = typer.Typer()


@app.command()
def download(
    folder: Annotated[Path, typer.Argument(help="The data folder; LFW goes to lfw/ in it.")] = Path("data"),
) -> None:
    """Downloads LFW's photos (180 MB) and its official protocol files, and checks their hashes."""
    console.print(f"LFW is in {download_lfw(folder)}.", soft_wrap=True)


@app.command()
def celeba(
    identities: Annotated[Path, typer.Argument(help="CelebA's identity_CelebA.txt.")],
    photos: Annotated[
        list[Path],
        typer.Argument(help="Folders of CelebA's photos, NUMBER.jpg; of a photo in several, the first is used."),
    ],
    partition: Annotated[
        Partition, typer.Option(help="test is for calibration, training for experiments of your own.")
    ] = Partition.TEST,
    target: Annotated[Path | None, typer.Option(help="Default: data/celeba, or data/celeba-training.")] = None,
) -> None:
    """Arranges CelebA by person, for `calibrate`. You get CelebA from its authors yourself."""
    target = target or Path("data") / ("celeba" if partition is Partition.TEST else "celeba-training")
    count = arrange_by_person(identities, photos, partition, target)
    console.print(f"{count:,} photos are in {target}.", soft_wrap=True)


@app.command()
def pack(
    target: Annotated[Path, typer.Argument(help="A new folder.")],
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    shard_mb: Annotated[int, typer.Option(min=1, help="The largest shard, in MB.")] = 48,
) -> None:
    """Writes the crops that the config trains and validates on as shards, to train on another machine."""
    from training.data.shards import pack_shards
    from training.data.splits import select_rows

    experiment = open_experiment(config, data, build)
    rows = select_rows(experiment.faces.people, experiment.split.training | experiment.split.validation)
    shards = pack_shards(experiment.faces, rows, experiment.lists, target, shard_mb * 1_000_000)
    size = sum(shard.stat().st_size for shard in shards) / 1e6
    options = f"--config {display_path(config)}"
    console.print(
        f"{len(rows):,} crops in {len(shards)} shards, {size:,.0f} MB, in {target}. On the other machine:\n"
        f"  python -m training unpack {target.name} {options}\n"
        f"  python -m training train --data {target.name} {options}",
        soft_wrap=True,
    )


@app.command()
def unpack(
    shards: Annotated[Path, typer.Argument(help="The folder that `pack` wrote.")],
    config: ConfigOption = DEFAULT_CONFIG,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Writes shards as prepared crops, for `train --data SHARDS`."""
    from training.data.shards import unpack_shards

    experiment = open_experiment(config, shards, build)
    faces = unpack_shards(shards, experiment.crops_folder)
    console.print(f"{len(faces.names):,} faces in {experiment.crops_folder}.", soft_wrap=True)
