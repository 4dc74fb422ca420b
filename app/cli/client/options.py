"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

FaceSelection = Literal["largest", "central", "single"]
IfExists = Literal["reject", "add", "replace"]
LivenessMode = Literal["off", "report", "require"]

Photo = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A photo.")]
Photos = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="One photo, or several.")]
Name = Annotated[str, typer.Argument(help="Name of the person.")]
Url = Annotated[
    str | None,
    typer.Option("--url", envvar="FACETWIN_URL", help="Address of the service; default: http://127.0.0.1:8000."),
]
Local = Annotated[
    bool,
    typer.Option(
        "--local", help="Ask no service: load the model and the gallery that FACETWIN_* name in this process."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print whole answers as JSON, and errors too.")]
InGallery = Annotated[str, typer.Option("--gallery", help="Name of the gallery.")]
Liveness = Annotated[
    LivenessMode, typer.Option(help="Whether a face looks like a photo of a photo or screen: say so, or refuse it.")
]
Selection = Annotated[
    FaceSelection, typer.Option(help="The face that counts if a photo has several; `single` refuses such a photo.")
]
