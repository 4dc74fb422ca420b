"""`python -m training detector`: training and evaluation of the face detector on LFW's photos."""

import math
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.table import Table

from training.commands.options import DEFAULT_BUILD, BuildOption, DataOption, console, open_experiment
from training.commands.pictures import check_picture_suffix, save_picture
from training.config import CONFIGS, TrainableConfig
from training.data.errors import DataError
from training.data.lfw import find_data_folder
from training.detector.config import LANDMARK_CONFIG, LOCATOR_CONFIG, load_detector_config, load_landmark_config

app = typer.Typer(no_args_is_help=True, help=__doc__)
FMRS: Final = (1e-2, 1e-3, 1e-4)
COMPOSITES: Final = 16
COMPOSITE_PHOTOS: Final = 200
LocatorOption = Annotated[Path, typer.Option("--config", help="The locator's training, a TOML file.")]
LandmarkOption = Annotated[Path, typer.Option("--config", help="The landmark refiner's training, a TOML file.")]
PictureArgument = Annotated[Path, typer.Argument(help="The picture to write.")]
DetectorOption = Annotated[Literal["locator", "mtcnn"], typer.Option(help="The detector to run.")]
BundleOption = Annotated[str, typer.Option(help="The bundle whose TAR is measured.")]


@app.command()
def show(
    target: PictureArgument = Path("build/detector/composites.png"),
    config: LocatorOption = LOCATOR_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Draws composites with their labels, to check before a training."""
    check_picture_suffix(target)
    from training.detector.composites.composer import Composer
    from training.detector.composites.drawing import draw_composites
    from training.detector.composites.public_pictures import load_public_pictures
    from training.detector.pseudo_labels import LabelledPhotos
    from training.detector.splits import load_labelled_split

    settings = load_detector_config(config)
    training = load_labelled_split(settings.people, data or find_data_folder(), build).training
    some = LabelledPhotos(training.photos[:COMPOSITE_PHOTOS], training.faces[:COMPOSITE_PHOTOS])
    faceless = load_public_pictures(settings.composites.pictures)
    composer = Composer(some, settings.composites, settings.people.least_score, settings.training.seed, faceless)
    save_picture(draw_composites([composer.compose(number) for number in range(COMPOSITES)]), target)
    console.print(f"{target}: {COMPOSITES} composites, faces in green, ignored boxes in red.", soft_wrap=True)


@app.command()
def train(config: LocatorOption = LOCATOR_CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """Trains the locator. Resumes where it was interrupted. Makes the pseudo-labels first if they do not exist."""
    settings, folder = load_detector_config(config), data or find_data_folder()
    from training.detector.locator_loop import train_locator
    from training.detector.splits import load_labelled_split

    split = load_labelled_split(settings.people, folder, build)
    best = train_locator(settings, split.training, split.validation, build / "runs" / settings.name)
    print_history(settings, best, "Validation photos, up to the best step")


@app.command()
def landmarks(
    config: LandmarkOption = LANDMARK_CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD
) -> None:
    """Trains the landmark refiner. Resumes where it was interrupted. Aligns the crops first if they do not exist."""
    settings, folder = load_landmark_config(config), data or find_data_folder()
    from training.data.crops import prepare_crops
    from training.data.lfw import lfw_photo_source
    from training.data.photos import find_photos
    from training.detector.landmark_loop import train_refiner
    from training.detector.splits import split_people

    split = split_people(settings.people, folder / "lfw")
    faces = prepare_crops(find_photos(lfw_photo_source(folder)), settings.crops, build, "lfw")
    best = train_refiner(settings, faces, split.training, split.validation, build / "runs" / settings.name)
    print_history(settings, best, "Validation people, up to the best step")


@app.command()
def scores(config: LocatorOption = LOCATOR_CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """Prints what the exported detector finds on the validation photos at each score, to choose its thresholds."""
    settings, folder = load_detector_config(config), data or find_data_folder()
    from model.detector.bundle import load_locator
    from training.detector.splits import load_labelled_split
    from training.detector.thresholds import measure_thresholds

    locator = load_locator()
    validation = load_labelled_split(settings.people, folder, build).validation
    table = Table("score", "recall", "false positives a photo", "photos without", "on turned photos, a photo")
    for found in measure_thresholds(locator, validation):
        table.add_row(
            f"{found.score:.2f}",
            f"{found.recall:.4f}",
            f"{found.false_positives:.4f}",
            str(found.photos_without_face),
            f"{found.faces_on_turned_photos:.4f}",
        )
    console.print(table)


@app.command()
def export(
    target: Annotated[Path | None, typer.Argument(help="The file to write. Default: the shipped detector.")] = None,
    config: LocatorOption = LOCATOR_CONFIG,
    refiner: Annotated[
        Path, typer.Option("--landmarks", help="The landmark refiner's training, a TOML file.")
    ] = LANDMARK_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Writes the best weights of `train` and `landmarks`, thresholds and reference landmarks as the detector's file."""
    settings, refiner_settings = load_detector_config(config), load_landmark_config(refiner)
    folder = data or find_data_folder()
    from model.detector.bundle import LOCATOR
    from training.detector.export import export_detector
    from training.detector.splits import load_labelled_split

    split = load_labelled_split(settings.people, folder, build)
    target = target or LOCATOR
    target.parent.mkdir(parents=True, exist_ok=True)
    command = "python -m training detector train, landmarks, then export"
    exported = export_detector(
        settings, refiner_settings, split.training, split.validation, build / "runs", target, command
    )
    console.print(f"{target}: {exported.metadata.full_name}, {target.stat().st_size / 1e6:.1f} MB", soft_wrap=True)


@app.command(name="scales")
def measure_alignment_scales(
    bundle: BundleOption = "deploy",
    scales: Annotated[str, typer.Option(help="Scales of the exported reference landmarks.")] = "0.97,1,1.03,1.06",
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Prints the TAR of the bundle's validation people for several sizes of the face in its crop."""
    parsed = parse_scales(scales)
    from model.detector.bundle import load_locator
    from model.encoder.bundle import find_bundle, load_bundle
    from training.detector.reference_landmarks import measure_scales

    encoder = load_bundle(find_bundle(bundle))
    experiment = open_experiment(CONFIGS / f"{encoder.metadata.training['config']['name']}.toml", data, build)
    people = experiment.split.validation
    photos = [photo for photo in experiment.photos if photo.person in people]
    table = Table("scale", *(f"TAR at {fmr:g}" for fmr in FMRS), title=f"{encoder.metadata.name}, validation people")
    for scale, pairs in measure_scales(load_locator(), encoder, photos, parsed):
        table.add_row(f"{scale:g}", *(f"{pairs.tar_at(fmr):.4f}" for fmr in FMRS))
    console.print(table)


@app.command()
def draw(
    photos: Annotated[list[Path], typer.Argument(help="Photos in any format that the service reads.")],
    target: Annotated[Path, typer.Option(help="The folder for one picture of each photo.")] = Path("build/drawn"),
    detector: DetectorOption = "locator",
    side: Annotated[int, typer.Option(min=1, help="The pictures' long side in pixels.")] = 480,
) -> None:
    """Draws the faces that the service would find on photos, in any of four orientations."""
    from PIL import Image

    from model.detector.factory import DetectorKind, open_detector
    from model.detector.orientation import detect_any_orientation
    from model.errors import PhotoError
    from model.images import decode_image
    from training.detector.composites.drawing import draw_detections

    if len({photo.stem for photo in photos}) < len(photos):
        raise DataError("Two photos have the same name, so their pictures would, too. Draw them one after another.")
    opened = open_detector(DetectorKind(detector))
    for photo in photos:
        try:
            image = decode_image(photo.read_bytes())
        except PhotoError as error:
            raise DataError(f"{photo}: {error}") from error
        faces = detect_any_orientation(opened, image)
        picture = target / f"{photo.stem}.jpg"
        save_picture(draw_detections(Image.fromarray(image), faces, side), picture)
        console.print(f"{picture}: {len(faces)} faces", soft_wrap=True)


@app.command()
def pictures(target: PictureArgument = Path("docs/plots/detections.jpg"), detector: DetectorOption = "locator") -> None:
    """Draws what is found on the documentation's example pictures."""
    check_picture_suffix(target)
    from model.detector.factory import DetectorKind, open_detector
    from training.detector.composites.example_sheet import draw_example_sheet

    save_picture(draw_example_sheet(open_detector(DetectorKind(detector))), target)
    console.print(f"{target} shows what {detector} finds.", soft_wrap=True)


@app.command()
def report(
    bundle: BundleOption = "deploy",
    config: LocatorOption = LOCATOR_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Measures the shipped detector beside MTCNN and stores the results in the detector's file."""
    settings, folder = load_detector_config(config), data or find_data_folder()
    from model.detector.bundle import load_locator, update_evaluation
    from model.encoder.bundle import find_bundle, load_bundle
    from training.detector.photo_sets import load_photo_sets
    from training.detector.report import measure_detectors
    from training.detector.splits import load_labelled_split, split_people
    from training.model_card.detector_section import describe_locator

    encoder, locator = load_bundle(find_bundle(bundle)), load_locator()
    test_photos = load_labelled_split(settings.people, folder, build).test
    test_people = split_people(settings.people, folder / "lfw").test
    photo_sets = load_photo_sets(test_photos, folder, build)
    command = "python -m training detector report"
    evaluation = measure_detectors(photo_sets, encoder, test_people, folder, build, command)
    updated = update_evaluation(locator, evaluation)
    console.print(describe_locator(updated.metadata), soft_wrap=True)


def parse_scales(text: str) -> list[float]:
    """Parses numbers above 0, separated by commas. Raises DataError."""
    try:
        scales = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise DataError(f"--scales {text}: write numbers separated by commas, such as 0.97,1,1.03.") from error
    if not all(scale > 0 and math.isfinite(scale) for scale in scales):
        raise DataError(f"--scales {text}: every scale must be above 0.")
    return scales


def print_history(config: TrainableConfig, best: Path, title: str) -> None:
    """Prints one row for each validation up to the best one, and where the weights are."""
    from training.optimization.checkpoint import load_best_checkpoint

    history = load_best_checkpoint(config, best.parent, "python -m training detector")["history"]
    table = Table(*history[0], title=title)
    for entry in history:
        table.add_row(*(f"{value:.4g}" for value in entry.values()))
    console.print(table)
    console.print(f"The best weights are in {best}.", soft_wrap=True)
