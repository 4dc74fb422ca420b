"""The command that shows the pairs which a bundle gets most wrong."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands.options import DEFAULT_BUILD, BuildOption, console

app = typer.Typer()


@app.command()
def hardest_pairs(
    bundle: Annotated[str, typer.Argument(help="The name of a shipped bundle, or a path.")],
    photos: Annotated[Path, typer.Option(help="A folder of NAME/photo.jpg.")],
    count: Annotated[int, typer.Option(min=1, help="Pairs of each kind.")] = 200,
    build: BuildOption = DEFAULT_BUILD,
) -> None:
    """Writes a page with the photos of the hardest impostor and genuine pairs, where label errors show up."""
    import numpy as np

    from model.encoder.bundle import find_bundle, load_bundle
    from training.data.crops import prepare_folder_for
    from training.evaluation.embeddings import embed
    from training.evaluation.hardest_pairs import find_hardest_pairs, write_html

    loaded = load_bundle(find_bundle(bundle))
    faces = prepare_folder_for(loaded, photos, build)
    rows = np.arange(len(faces.names))
    impostor, genuine = find_hardest_pairs(embed(loaded, faces, rows).vectors, faces.people, count)
    folder = photos.resolve().name
    target = build / "hardest-pairs" / f"{loaded.metadata.name}-{folder}.html"
    write_html(f"{loaded.metadata.name} on {folder}", faces, rows, impostor, genuine, target)
    console.print(
        f"{target}: the {len(impostor)} most similar impostor pairs and the {len(genuine)} least similar genuine "
        "pairs.",
        soft_wrap=True,
    )
