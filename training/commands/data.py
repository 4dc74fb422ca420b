"""Commands that bring photos to the training: LFW, CelebA, and crops that travel to another machine."""

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
    experiment_of,
)
from training.data import photos as photo_files
from training.data.celeba import Partition, arrange
from training.data.photos import DataError
from training.experiment import inside

app = typer.Typer()


@app.command()
def download(folder: Annotated[Path, typer.Argument(help="Gets lfw/ below it.")] = Path("data")) -> None:
    """Fetches LFW's photos (180 MB) and its official protocol files, each with its hash checked."""
    import pooch

    target = folder / "lfw"
    pooch.retrieve(
        photo_files.LFW_URL,
        known_hash=f"sha256:{photo_files.LFW_SHA256}",
        fname="lfw.tgz",
        path=target,
        processor=pooch.Untar(extract_dir="."),
        progressbar=True,
    )
    for name, md5 in photo_files.PROTOCOL_MD5.items():
        url = photo_files.PROTOCOL_URL + name
        try:
            pooch.retrieve(url, known_hash=f"md5:{md5}", fname=name, path=target)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{name} could not be had from {url} ({type(error).__name__}). Put LFW's official file of that name "
                f"(md5 {md5}) into {target} and run this again."
            ) from error
    console.print(f"LFW is in {target}.")


@app.command()
def celeba(
    identities: Annotated[Path, typer.Argument(help="CelebA's identity_CelebA.txt.")],
    photos: Annotated[list[Path], typer.Argument(help="Folders of CelebA's photos, NUMBER.jpg; the best first.")],
    partition: Annotated[Partition, typer.Option(help="test calibrates, training is for research.toml.")] = (
        Partition.TEST
    ),
    target: Annotated[Path | None, typer.Option(help="Default: data/celeba, or data/celeba-training.")] = None,
) -> None:
    """Arranges CelebA by person, for `calibrate` or for research.toml. You get it from its authors yourself."""
    target = target or Path("data") / ("celeba" if partition is Partition.TEST else "celeba-training")
    console.print(f"{arrange(identities, photos, partition, target):,} photos are in {target}.")


@app.command()
def pack(
    target: Annotated[Path, typer.Argument(help="A new folder.")],
    config: ConfigOption = DEFAULT_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
    shard_mb: Annotated[int, typer.Option(min=1, help="The largest shard, in MB.")] = 48,
) -> None:
    """Writes the crops that the config trains and validates on as shards, to train where the photos are not."""
    from training.data.shards import pack as run_pack
    from training.data.splits import rows_of

    experiment = experiment_of(config, data, build)
    rows = rows_of(experiment.faces.people, experiment.split.training | experiment.split.validation)
    shards = run_pack(experiment.faces, rows, experiment.lists, target, shard_mb * 1_000_000)
    size = sum(shard.stat().st_size for shard in shards) / 1e6
    console.print(f"{len(rows):,} crops in {len(shards)} shards, {size:,.0f} MB, in {target}. Where they arrive:")
    console.print(f"  python -m training unpack {target.name} --config {inside(config)}")
    console.print(f"  python -m training train --data {target.name} --config {inside(config)}")


@app.command()
def unpack(
    shards: Annotated[Path, typer.Argument(help="What `pack` wrote.")],
    config: ConfigOption = DEFAULT_CONFIG,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Makes prepared faces of shards, for `train --data SHARDS`."""
    from training.data.shards import unpack as run_unpack

    experiment = experiment_of(config, shards, build)
    faces = run_unpack(shards, experiment.prepared)
    console.print(f"{len(faces.names):,} faces in {experiment.prepared}.")
