"""`python -m training liveness`: exports and measures the networks that tell live faces from photos of photos."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DEFAULT_BUILD, BuildOption, DataOption, console
from training.data.sets.lfw import find_data_folder

app = typer.Typer(no_args_is_help=True, help=__doc__)
FolderOption = Path | None


@app.command()
def export(
    target: Annotated[Path | None, typer.Argument(help="The file to write. Default: the shipped one.")] = None,
    data: DataOption = None,
) -> None:
    """Writes the authors' networks as a file that the service loads, without a threshold; `report` chooses it."""
    folder = data or find_data_folder()
    from model.detector.factory import open_detector
    from model.liveness.bundle import LIVENESS
    from training.data.photos import find_photos
    from training.data.sets.lfw import lfw_photo_source
    from training.liveness.export import export_liveness

    target = target or LIVENESS
    photos = {photo.name: photo for photo in find_photos(lfw_photo_source(folder))}
    bundle = export_liveness(target, open_detector(), photos, "python -m training liveness export")
    agreement = bundle.metadata.agreement
    console.print(
        f"{target}: {target.stat().st_size / 1e6:.1f} MB, largest difference from the authors' code on "
        f"{agreement['photos']} photos {agreement['same_crops']:.2g}",
        soft_wrap=True,
    )


@app.command()
def report(
    nuaa: Annotated[FolderOption, typer.Option(help="NUAA's folder of ClientRaw/ and ImposterRaw/.")] = None,
    msu_mfsd: Annotated[FolderOption, typer.Option(help="The folder of pics/ with MSU-MFSD's first frames.")] = None,
    cut_outs: Annotated[FolderOption, typer.Option(help="Photos of cut-out prints, PERSON/photo.jpg.")] = None,
    celeba: Annotated[FolderOption, typer.Option(help="CelebA's test partition, PERSON/NUMBER.jpg.")] = None,
    file: Annotated[Path | None, typer.Option(help="The networks' file. Default: the shipped one.")] = None,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Chooses the threshold, measures APCER and BPCER, and stores both in the networks' file."""
    folder = data or find_data_folder()
    from model.liveness.bundle import LIVENESS, load_liveness, update_measurements
    from training.data.photos import find_photos
    from training.data.sets.lfw import lfw_photo_source, read_people
    from training.liveness.presentations import load_celeba, load_cut_outs, load_lfw, load_msu_mfsd, load_nuaa
    from training.liveness.report import measure_liveness
    from training.liveness.scoring import score_set
    from training.model_card.liveness_section import describe_liveness

    loaders = ((load_msu_mfsd, msu_mfsd), (load_nuaa, nuaa), (load_cut_outs, cut_outs), (load_celeba, celeba))
    sets = [load(place) for load, place in loaders if place is not None]
    people = read_people(folder / "lfw" / "peopleDevTest.txt")
    sets.append(load_lfw(find_photos(lfw_photo_source(folder)), people))
    bundle = load_liveness(file or LIVENESS)
    scored = [score_set(each, bundle, build) for each in sets]
    threshold, evaluation = measure_liveness(scored, "python -m training liveness report")
    console.print(describe_liveness(update_measurements(bundle, threshold, evaluation).metadata), soft_wrap=True)
