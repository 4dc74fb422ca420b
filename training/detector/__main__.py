"""`python -m training.detector`: teach and train the face detector on LFW's photos."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from training.data import hash_place
from training.detector.config import CONFIG, DetectorConfig, load_detector_config
from training.detector.teacher import TaughtPhotos, teach
from training.options import DEFAULT_BUILD, BuildOption, DataOption, console, in_words
from training.photos import data_folder, find_photos, lfw_photos, read_people

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
DetectorOption = Annotated[Path, typer.Option("--config", help="The training, a TOML file.")]


@app.command()
def show(
    target: Annotated[Path, typer.Argument(help="A picture file.")] = Path("build/detector/composites.png"),
    config: DetectorOption = CONFIG,
    data: DataOption = None,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Draws composites with the faces taught on them, to look at before a training."""
    from training.detector.composites import Composer, sheet
    from training.detector.negatives import faceless

    settings = load_detector_config(config)
    learned, _, _ = split(settings, data or data_folder(), build)
    some = TaughtPhotos(learned.photos[:200], learned.faces[:200])
    pictures = faceless(settings.composites.pictures)
    composer = Composer(some, settings.composites, settings.people.least_score, settings.training.seed, pictures)
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet([composer.composite(number) for number in range(16)]).save(target)
    console.print(f"Sixteen composites are in {target}: faces green, places where nothing is taught red.")


@app.command()
def train(config: DetectorOption = CONFIG, data: DataOption = None, build: BuildOption = DEFAULT_BUILD) -> None:
    """Trains, or goes on where it was interrupted; runs the teacher first where that has not been done."""
    import torch

    from training.detector.train import train as run_train

    settings = load_detector_config(config)
    learned, held_out, _ = split(settings, data or data_folder(), build)
    best = run_train(settings, learned, held_out, build / "runs" / settings.name)
    history = torch.load(best, weights_only=True)["history"]
    table = Table(*history[0], title="Held-out photos, up to the best")
    for entry in history:
        table.add_row(*(f"{value:.4g}" for value in entry.values()))
    console.print(table)
    console.print(f"The best weights are in {best}.")


def split(config: DetectorConfig, data: Path, build: Path) -> tuple[TaughtPhotos, TaughtPhotos, TaughtPhotos]:
    """Photos with the teacher's faces: of those who train, of those who choose, and of those who only report."""
    taught = teach(find_photos(lfw_photos(data)), build / "detector" / "taught.json")
    people = read_people(data / "lfw" / config.people.train_people)
    chosen = frozenset(name for name in people if hash_place(name) < config.people.validation_share)
    test = frozenset(read_people(data / "lfw" / config.people.test_people))
    return taught.of(frozenset(people) - chosen), taught.of(chosen), taught.of(test)


def main() -> None:
    with in_words():
        app()


if __name__ == "__main__":  # worker processes import this module too
    main()
