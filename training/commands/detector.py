"""`python -m training detector`: teach and train the face detector on LFW's photos."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from model.detector.bundle import LOCATOR
from model.detector.orientation import DetectorKind, detect_any_orientation, open_detector
from model.images import decode_image
from training.commands.options import DEFAULT_BUILD, BuildOption, DataOption, console
from training.data.photos import data_folder, find_photos, lfw_photos, read_people
from training.data.splits import hash_place
from training.detector.config import (
    CONFIG,
    LANDMARKS,
    DetectorConfig,
    SplitConfig,
    load_detector_config,
    load_landmark_config,
)
from training.detector.pseudo_labels import TaughtPhotos, teach
from training.experiment import CONFIGS

app = typer.Typer(no_args_is_help=True, help=__doc__)
FMRS: Final = (1e-2, 1e-3, 1e-4)
SCORES: Final = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
DetectorOption = Annotated[Path, typer.Option("--config", help="The training, a TOML file.")]


@app.command()
def show(
    target: Annotated[Path, typer.Argument(help="A picture file.")] = Path("build/detector/composites.png"),
    config: DetectorOption = CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Draws composites with the faces taught on them, to look at before a training."""
    from training.detector.composites.composer import Composer, sheet
    from training.detector.composites.public_pictures import public_pictures

    settings = load_detector_config(config)
    learned, _, _ = split(settings, data or data_folder(), build)
    some = TaughtPhotos(learned.photos[:200], learned.faces[:200])
    faceless = public_pictures(settings.composites.pictures)
    composer = Composer(some, settings.composites, settings.people.least_score, settings.training.seed, faceless)
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet([composer.composite(number) for number in range(16)]).save(target)
    console.print(f"Sixteen composites are in {target}: faces green, places where nothing is taught red.")


@app.command()
def train(config: DetectorOption = CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """Trains, or goes on where it was interrupted; runs the teacher first where that has not been done."""
    import torch

    from training.detector.loop import train as run_train

    settings = load_detector_config(config)
    learned, held_out, _ = split(settings, data or data_folder(), build)
    best = run_train(settings, learned, held_out, build / "runs" / settings.name)
    console.print(history_table(torch.load(best, weights_only=True)["history"], "Held-out photos, up to the best"))
    console.print(f"The best weights are in {best}.")


@app.command()
def landmarks(config: DetectorOption = LANDMARKS, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """Trains the second look at each face, for its landmarks, or goes on where it was interrupted; aligns the crops
    first where that has not been done."""
    import torch

    from training.data.crops import crops_folder, prepare
    from training.detector.landmark_loop import train_refiner

    settings, folder = load_landmark_config(config), data or data_folder()
    photos = find_photos(lfw_photos(folder))
    faces = prepare(photos, settings.crops, crops_folder(build, ["lfw"], settings.crops))
    learned, held_out, _ = split_people(settings.people, folder)
    best = train_refiner(settings, faces, learned, held_out, build / "runs" / settings.name)
    console.print(history_table(torch.load(best, weights_only=True)["history"], "Held-out people, up to the best"))
    console.print(f"The best weights are in {best}.")


@app.command()
def scores(config: DetectorOption = CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """What each threshold finds on the held-out photos, upright and turned, with the exported file: to choose [scores]
    by."""
    import numpy as np

    from model.detector.bundle import load_locator
    from model.detector.single_pass import SinglePassDetector
    from training.detector.metrics import compare
    from training.detector.report import rows_of

    _, held_out, _ = split(load_detector_config(config), data or data_folder(), build)
    photos = [held_out.pixels(row) for row in range(len(held_out.photos))]
    table = Table("score", "recall", "false positives a photo", "photos without", "on turned photos, a photo")
    for score in SCORES:
        bundle = load_locator()
        detector = SinglePassDetector(replace(bundle, metadata=replace(bundle.metadata, least_score=score)))
        upright = [rows_of(detector, photo) for photo in photos]
        turned = [rows_of(detector, np.rot90(photo, turns)) for photo in photos for turns in (1, 2, 3)]
        found = compare(upright, held_out.faces, score)
        # The large faces that a photo without any other is left with do not count here.
        lost = sum(not (faces[:, 4] >= score).any() for faces in upright)
        table.add_row(
            f"{score:.2f}",
            f"{found.recall:.4f}",
            f"{found.false_positives:.4f}",
            str(lost),
            f"{np.mean([(faces[:, 4] >= score).sum() for faces in turned]):.4f}",
        )
    console.print(table)


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="The file; default: the one that the service reads.")] = LOCATOR,
    config: DetectorOption = CONFIG,
    refiner: Annotated[Path, typer.Option("--landmarks", help="The training of `landmarks`.")] = LANDMARKS,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Writes the best weights of `train` and `landmarks` as the detector's file, with [scores] and the frame of its
    landmarks."""
    from training.detector.export import export as run_export

    settings, folder = load_detector_config(config), data or data_folder()
    learned, held_out, _ = split(settings, folder, build)
    command = "python -m training detector train, landmarks, then export"
    made = run_export(settings, load_landmark_config(refiner), learned, held_out, build / "runs", target, command)
    console.print(f"{target}: {made.metadata.full_name}, {target.stat().st_size / 1e6:.1f} MB")


@app.command()
def frames(
    bundle: Annotated[str, typer.Option(help="Whose TAR is measured.")] = "deploy",
    scales: Annotated[str, typer.Option(help="Beside the file's own frame.")] = "0.97,1,1.03,1.06",
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """TAR on every pair of the bundle's validation people by how large faces are in their crops: to choose [alignment]
    by."""
    from model.detector.bundle import load_locator
    from model.encoder.bundle import find_bundle, load_bundle
    from training.commands.options import experiment_of
    from training.detector.reference_landmarks import try_scales

    experiment = experiment_of(CONFIGS / f"{bundle}.toml", data, build)
    people = experiment.split.validation
    photos = [photo for photo in experiment.photos if photo.person in people]
    table = Table("scale", *(f"TAR at {fmr:g}" for fmr in FMRS), title=f"{bundle}, validation people")
    tried = [float(scale) for scale in scales.split(",")]
    for scale, pairs in try_scales(load_locator(), load_bundle(find_bundle(bundle)), photos, tried):
        table.add_row(f"{scale:g}", *(f"{pairs.tar_at(fmr):.4f}" for fmr in FMRS))
    console.print(table)


@app.command()
def draw(
    photos: Annotated[list[Path], typer.Argument(help="Photos of any kind that the service takes.")],
    target: Annotated[Path, typer.Option(help="A folder; gets one picture for each photo.")] = Path("build/drawn"),
    detector: Annotated[DetectorKind, typer.Option(help="What looks.")] = DetectorKind.LOCATOR,
    side: Annotated[int, typer.Option(help="Pixels of the pictures' long side.")] = 480,
) -> None:
    """Draws the faces that the service would find on photos, in any of four orientations."""
    from PIL import Image

    from training.detector.composites.drawing import drawn

    finder = open_detector(detector)
    target.mkdir(parents=True, exist_ok=True)
    for photo in photos:
        image = decode_image(photo.read_bytes())
        faces = detect_any_orientation(finder, image)
        made = target / f"{photo.stem}.jpg"
        drawn(Image.fromarray(image), faces, side).save(made, quality=88)
        console.print(f"{made}: {len(faces)} faces")


@app.command()
def pictures(
    target: Annotated[Path, typer.Argument(help="A picture file.")] = Path("docs/plots/detections.jpg"),
    detector: Annotated[DetectorKind, typer.Option(help="What looks.")] = DetectorKind.LOCATOR,
) -> None:
    """What is found on the scenes that the documents show."""
    from training.detector.composites.example_sheet import contact_sheet

    contact_sheet(open_detector(detector)).save(target, quality=88)
    console.print(f"{target} shows what {detector} finds.")


@app.command()
def report(
    bundle: Annotated[str, typer.Option(help="Whose TAR is measured.")] = "deploy",
    config: DetectorOption = CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Measures the shipped detector beside MTCNN and seals what it finds into the detector's file."""
    from model.detector.bundle import load_locator, reseal_locator
    from model.encoder.bundle import find_bundle, load_bundle
    from training.detector.photo_sets import sources
    from training.detector.report import report as run_report
    from training.model_card.detector_section import describe_locator

    settings, folder = load_detector_config(config), data or data_folder()
    _, _, test = split(settings, folder, build)
    people = frozenset(read_people(folder / "lfw" / settings.people.test_people))
    sealed = load_bundle(find_bundle(bundle))
    found = run_report(
        sources(test, folder, build), sealed, people, folder, build, "python -m training detector report"
    )
    made = reseal_locator(load_locator(), found)
    console.print(describe_locator(made.metadata), markup=False)


def split(config: DetectorConfig, data: Path, build: Path) -> tuple[TaughtPhotos, TaughtPhotos, TaughtPhotos]:
    """Photos with the teacher's faces: of those who train, of those who choose, and of those who only report."""
    taught = teach(find_photos(lfw_photos(data)), build / "detector" / "taught.json")
    learned, chosen, test = split_people(config.people, data)
    return taught.of(learned), taught.of(chosen), taught.of(test)


def split_people(config: SplitConfig, data: Path) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Those who train, those who choose, and those who only report."""
    people = frozenset(read_people(data / "lfw" / config.train_people))
    chosen = frozenset(name for name in people if hash_place(name) < config.validation_share)
    return people - chosen, chosen, frozenset(read_people(data / "lfw" / config.test_people))


def history_table(history: Sequence[Mapping[str, float]], title: str) -> Table:
    table = Table(*history[0], title=title)
    for entry in history:
        table.add_row(*(f"{value:.4g}" for value in entry.values()))
    return table
