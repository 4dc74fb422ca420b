"""The command that writes the figures of the model card and of the documents."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def card(
    root: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="The checkout whose documents are written.")
    ] = Path(),
) -> None:
    """Writes the figures of bundles, detector and liveness networks into the model card and the documents."""
    from model.detector.bundle import load_detector
    from model.encoder.bundle import load_bundle, shipped_bundles
    from model.liveness.bundle import load_liveness
    from training.model_card.documents import fill_documents

    bundles = [load_bundle(path) for path in shipped_bundles().values()]
    for path, text in fill_documents(root, bundles, load_detector().metadata, load_liveness().metadata).items():
        (root / path).write_text(text, encoding="utf-8")
