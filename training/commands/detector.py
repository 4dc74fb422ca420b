"""`python -m training detector`: training and evaluation of the face detector on LFW's photos."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from training.commands.options import DEFAULT_BUILD, BuildOption, DataOption, console, open_experiment
from training.commands.pictures import check_picture_suffix, save_picture
from training.config import CONFIGS, TrainableConfig
from training.data.errors import DataError
from training.data.sets.lfw import find_data_folder
from training.detector.config import DETECTOR_CONFIG, load_detector_config

if TYPE_CHECKING:  # the imports take seconds, and --help must not
    from training.detector.selection_sets import SelectionSet
    from training.detector.thresholds import SetMetrics

app = typer.Typer(no_args_is_help=True, help=__doc__)
FMRS: Final = (1e-2, 1e-3, 1e-4)
ConfigOption = Annotated[Path, typer.Option("--config", help="The detector's training, a TOML file.")]
PictureArgument = Annotated[Path, typer.Argument(help="The picture to write.")]
BundleOption = Annotated[str, typer.Option(help="The bundle whose TAR is measured.")]


@app.command()
def train(config: ConfigOption = DETECTOR_CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """Trains the refiner. Resumes where it was interrupted. Labels the photos first if that was not done."""
    settings, folder = load_detector_config(config), data or find_data_folder()
    from training.detector.refiner_loop import train_refiner
    from training.detector.splits import load_candidates_of

    training, validation = (load_candidates_of(settings, part, folder, build) for part in ("training", "validation"))
    best = train_refiner(settings, training, validation, build / "runs" / settings.name)
    print_history(settings, best, "Validation candidates, up to the best step")


@app.command()
def export(
    target: Annotated[Path | None, typer.Argument(help="The file to write. Default: the shipped detector.")] = None,
    config: ConfigOption = DETECTOR_CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Writes YuNet and the best weights of `train` as the detector's file, with chances, thresholds and landmarks."""
    settings, folder = load_detector_config(config), data or find_data_folder()
    from model.detector.bundle import DETECTOR
    from training.detector.export import export_detector

    target = target or DETECTOR
    target.parent.mkdir(parents=True, exist_ok=True)
    exported = export_detector(settings, folder, build, target, "python -m training detector train, then export")
    console.print(f"{target}: {exported.metadata.full_name}, {target.stat().st_size / 1e6:.1f} MB", soft_wrap=True)


@app.command()
def scores(config: ConfigOption = DETECTOR_CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """Prints what each threshold of the exported detector loses and lets through on photos that no report has."""
    settings, folder = load_detector_config(config), data or find_data_folder()
    from model.detector.bundle import load_detector
    from training.detector.selection_sets import load_selection_sets
    from training.detector.thresholds import measure_chances, measure_selection, measure_thresholds

    sets = load_selection_sets(settings, folder, build)
    console.print(tabulate_selection(list(measure_selection(load_detector(), sets)), sets))
    table = Table("chance from", "faces lost", "false faces a photo", "wrong angle, a photo")
    for each in measure_thresholds(load_detector(), settings, folder, build):
        table.add_row(f"{each.score:.2f}", f"{each.lost:.2%}", f"{each.false_faces:.4f}", f"{each.on_turned:.4f}")
    console.print(table)
    chances = Table("detection_score", "candidates", "faces among them")
    for row in measure_chances(load_detector(), settings, folder, build):
        chances.add_row(f"{row.low:.1f} to {row.high:.1f}", f"{row.candidates:,}", f"{row.faces:.1%}")
    console.print(chances)


@app.command(name="scales")
def measure_alignment_scales(
    bundle: BundleOption = "deploy",
    scales: Annotated[str, typer.Option(help="Scales of the exported reference landmarks.")] = "0.97,1,1.03,1.06",
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Prints the TAR of the bundle's validation people for several sizes of the face in its crop."""
    parsed = parse_scales(scales)
    from model.detector.bundle import load_detector
    from model.encoder.bundle import find_bundle, load_bundle
    from training.detector.reference_landmarks import measure_scales

    encoder = load_bundle(find_bundle(bundle))
    experiment = open_experiment(CONFIGS / f"{encoder.metadata.training['config']['name']}.toml", data, build)
    people = experiment.split.validation
    photos = [photo for photo in experiment.photos if photo.person in people]
    table = Table("scale", *(f"TAR at {fmr:g}" for fmr in FMRS), title=f"{encoder.metadata.name}, validation people")
    for scale, pairs in measure_scales(load_detector(), encoder, photos, parsed):
        table.add_row(f"{scale:g}", *(f"{pairs.tar_at(fmr):.4f}" for fmr in FMRS))
    console.print(table)


@app.command()
def draw(
    photos: Annotated[list[Path], typer.Argument(help="Photos in any format that the service reads.")],
    target: Annotated[Path, typer.Option(help="The folder for one picture of each photo.")] = Path("build/drawn"),
    side: Annotated[int, typer.Option(min=1, help="The pictures' long side in pixels.")] = 480,
) -> None:
    """Draws the faces that the service would find on photos, in any of four orientations."""
    from PIL import Image

    from model.detector.factory import open_detector
    from model.detector.orientation import detect_any_orientation
    from model.errors import PhotoError
    from model.images import decode_image
    from training.detector.drawing import draw_detections

    if len({photo.stem for photo in photos}) < len(photos):
        raise DataError("Two photos have the same name, so their pictures would, too. Draw them one after another.")
    opened = open_detector()
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
def pictures(target: PictureArgument = Path("docs/plots/detections.jpg")) -> None:
    """Draws what is found on the documentation's example pictures."""
    check_picture_suffix(target)
    from model.detector.factory import open_detector
    from training.detector.example_sheet import draw_example_sheet

    save_picture(draw_example_sheet(open_detector()), target)
    console.print(f"{target} shows what the detector finds.", soft_wrap=True)


@app.command()
def report(
    bundle: BundleOption = "deploy",
    config: ConfigOption = DETECTOR_CONFIG,
    earlier: Annotated[
        Path | None, typer.Option(help="A checkout of an earlier version of facetwin, whose detector is measured, too.")
    ] = None,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Measures the shipped detector beside MTCNN and YuNet in OpenCV, and stores the results in the detector's file."""
    settings, folder = load_detector_config(config), data or find_data_folder()
    from model.detector.bundle import load_detector, update_evaluation
    from model.encoder.bundle import find_bundle, load_bundle
    from training.data.photos import find_photos
    from training.data.sets.lfw import lfw_photo_source
    from training.detector.photo_sets import load_faceless_sets, load_photo_sets
    from training.detector.pseudo_labels import lfw_labels_file, pseudo_label
    from training.detector.report import measure_detectors, measure_verification
    from training.detector.splits import split_people
    from training.model_card.detector_section import describe_detector

    encoder, shipped = load_bundle(find_bundle(bundle)), load_detector()
    everybody = pseudo_label(find_photos(lfw_photo_source(folder)), lfw_labels_file(build))
    sets = load_photo_sets(everybody, settings, folder, build)
    test_people = split_people(settings.people, folder / "lfw").test
    verification = measure_verification(encoder, test_people, folder, build)
    command = "python -m training detector report"
    evaluation = measure_detectors(sets, load_faceless_sets(folder), folder, earlier, verification, command)
    console.print(describe_detector(update_evaluation(shipped, evaluation).metadata), soft_wrap=True)


def tabulate_selection(metrics: Sequence["SetMetrics"], sets: Sequence["SelectionSet"]) -> Table:
    """One row for each threshold: photos lost and recall of each set with people, then all false faces."""
    people, others = [each for each in sets if each.has_people], [each for each in sets if not each.has_people]
    columns = [f"{each.name}, {each.count}: lost, recall" for each in people]
    table = Table("chance from", *columns, *(f"false faces: {each.name}, {each.count}" for each in others))
    by_name = {(each.name, each.score): each for each in metrics}
    for score in sorted({each.score for each in metrics}):
        found = [by_name[each.name, score] for each in people]
        false = [by_name[each.name, score] for each in others]
        cells = [f"{each.lost}, {each.recall:.1%}" for each in found]
        table.add_row(f"{score:.2f}", *cells, *(str(each.faces) for each in false))
    return table


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
