"""The command that writes the figures of the model card."""

from pathlib import Path
from typing import Annotated, Final

import typer

from training.data.errors import DataError

CARD: Final = Path("model/MODEL_CARD.md")

app = typer.Typer()


@app.command()
def card(target: Annotated[Path, typer.Argument(help="The model card.")] = CARD) -> None:
    """Writes the figures of the shipped bundles and of the face detector into the model card."""
    from model.detector.bundle import load_detector
    from model.encoder.bundle import load_bundle, shipped_bundles
    from training.model_card.card import fill_card

    try:
        text = target.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{target} is not UTF-8 text. Save it as UTF-8.") from error
    bundles = [load_bundle(path) for path in shipped_bundles().values()]
    target.write_text(fill_card(text, bundles, load_detector().metadata), encoding="utf-8")
