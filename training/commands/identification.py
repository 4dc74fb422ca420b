"""The command that runs an identification trial through a running service."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from training.commands.options import (
    DEFAULT_BUILD,
    DEFAULT_CONFIG,
    BuildOption,
    ConfigOption,
    DataOption,
    UrlOption,
    console,
)
from training.config import load_config
from training.data.errors import DataError
from training.data.photos import find_photos
from training.data.sets.lfw import find_data_folder, lfw_photo_source, read_people

if TYPE_CHECKING:
    from training.evaluation.identification_trial import IdentificationTrial

MAX_DIFFERENCE: Final = 1e-4  # of similarity, between two trials of the same probes

app = typer.Typer()


@app.command()
def identification(
    url: UrlOption,
    data: DataOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    count: Annotated[int, typer.Option(min=1, help="People to enroll, and as many who are not enrolled.")] = 50,
    gallery: Annotated[str, typer.Option(help="The gallery to use. It is deleted first.")] = "identification-trial",
    again: Annotated[bool, typer.Option(help="Enroll nobody; compare with the first trial.")] = False,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Enrolls people of the test list from one photo each and searches: rank-1, FNIR, FPIR."""
    from training.evaluation.identification_trial import largest_difference, run_identification_trial
    from training.evaluation.service_client import ServiceClient

    saved = build / "identification.json"
    first = _read_trial(saved) if again else None
    people_list = load_config(config).data.test_people
    folder = data or find_data_folder()
    people = frozenset(read_people(folder / "lfw" / people_list))
    photos = find_photos(lfw_photo_source(folder))
    service = ServiceClient(url, photos)
    trial = run_identification_trial(service, photos, people, count, gallery, enroll=not again)
    table = Table("enrolled", "mated probes", "non-mated", "rank-1", "FNIR", "FPIR", "threshold", "target FPIR met")
    table.add_row(
        str(trial.enrolled),
        str(trial.mated),
        str(trial.nonmated),
        f"{trial.rank1:.2f}",
        f"{trial.fnir:.2f}",
        f"{trial.fpir:.2f}",
        f"{trial.threshold:.4f}",
        str(trial.target_met),
    )
    console.print(table)
    if first is None:
        saved.parent.mkdir(parents=True, exist_ok=True)
        saved.write_text(json.dumps(asdict(trial)))
        return
    difference = largest_difference(first, trial)
    console.print(f"Largest difference in similarity to the first trial: {difference:.2g}")
    if difference > MAX_DIFFERENCE:
        raise DataError("The answers differ from those of the first trial.")


def _read_trial(path: Path) -> "IdentificationTrial":
    """The trial that an earlier run saved. Raises DataError if there is none."""
    from training.evaluation.identification_trial import IdentificationTrial

    if not path.is_file():
        raise DataError(f"{path} does not exist. Run the trial without --again first.")
    try:
        content = json.loads(path.read_text())
        return IdentificationTrial(**{**content, "answers": tuple(tuple(answer) for answer in content["answers"])})
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is not a saved trial. Delete it and run the trial without --again.") from error
