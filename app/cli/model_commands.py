"""`facetwin model`: the bundles, and the one that serves."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli.client.backend import open_service
from app.cli.client.options import AsJson, Local, Url
from app.cli.configuration import read_settings
from app.cli.output import ERROR, NO, fail, fail_on, print_json, print_json_line, print_lines, print_table

model_cli: Final = typer.Typer(no_args_is_help=True, help="Show, check and list models (bundles).")


@model_cli.command("show", epilog="Example: facetwin model show --local")
def show_model(url: Url = None, local: Local = False, as_json: AsJson = False) -> None:
    """Show the model that a service runs, or with --local the file that FACETWIN_BUNDLE names."""
    if local:
        card = _read_card(_find(read_settings().bundle))
        if reason := card.get("reason"):
            fail(reason)
    else:
        from facetwin_client import as_json as to_json

        with open_service(url, local, as_json) as service:
            card = to_json(service.get_model())
    if as_json:
        print_json(card)
        return
    print_lines(_describe(card))
    points = (card.get("calibration") or {}).get("points", ())
    rows = [(f"{each['fmr']:g}", f"{each['threshold']:.4f}", f"{each['fnmr']:.2%}") for each in points]
    if rows:
        print_table(("false matches (FMR)", "threshold", "missed (FNMR)"), rows)


@model_cli.command("check", epilog="Example: facetwin model check mine.pt")
def check_model(
    bundle: Annotated[
        str | None, typer.Argument(help="Name of a shipped bundle, or a file; default: FACETWIN_BUNDLE.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load a bundle and the face detector on this machine, and compare their results with the golden ones.

    Status 0: the bundle can serve here. 1: it cannot. 2: there is no such file.
    """
    settings = read_settings()
    path = _find(bundle or settings.bundle)
    from app.inference.networks import load_networks
    from model.runtime.torchscript import BundleError

    try:
        networks = load_networks(settings.device, path, settings.precision, settings.engine)
        difference = networks.bundle.self_check()
        if networks.bundle.metadata.calibration is None:
            raise BundleError(f"{path} is not calibrated. Run `python -m training calibrate`.")
    except (BundleError, ValueError, RuntimeError) as error:
        if as_json:
            print_json({"bundle": str(path), "usable": False, "reason": str(error)})
        else:
            typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(NO) from error
    metadata = networks.bundle.metadata
    if as_json:
        card = {"name": metadata.name, "version": metadata.version, "encoder_id": metadata.encoder_id}
        print_json(
            {"bundle": str(path), "usable": True, **card, "device": networks.device, "largest_difference": difference}
        )
    else:
        typer.echo(
            f"{metadata.name} {metadata.version} can serve on {networks.device}. Its vectors differ from the golden "
            f"ones by at most {difference:.1e}, and the face detector finds the golden faces."
        )


@model_cli.command("list", epilog="Example: facetwin model list")
def list_models(as_json: AsJson = False) -> None:
    """List the shipped bundles and the one that FACETWIN_BUNDLE names; with --json, one line of JSON for each."""
    from model.encoder.bundle import shipped_bundles

    chosen = _find(read_settings().bundle)
    paths = {path.resolve() for path in (*shipped_bundles().values(), chosen)}
    found = [(path, _read_card(path)) for path in sorted(paths)]
    if as_json:
        for path, card in found:
            known = {name: card.get(name) for name in ("name", "version", "encoder_id", "reason")}
            print_json_line({"bundle": str(path), "serves": path == chosen.resolve(), **known})
        return
    rows = [
        (
            path.stem,
            str(card.get("version", "")),
            "serves" if path == chosen.resolve() else "",
            str(card.get("encoder_id", ""))[:12],
            card.get("reason") or str(path),
        )
        for path, card in found
    ]
    print_table(("bundle", "version", "", "encoder", "file"), rows)


@model_cli.command("import", epilog="Example: facetwin model import arcface.onnx --photos FOLDER --out mine.pt")
def import_model(
    file: Annotated[Path, typer.Argument(help="A network: TorchScript, or ONNX named *.onnx.")],
    photos: Annotated[Path, typer.Option(help="Photos to calibrate on: NAME/photo.jpg.")],
    out: Annotated[Path, typer.Option(help="The bundle to write.")],
    size: Annotated[int, typer.Option(help="Side of the crops that it reads, in pixels.")] = 112,
    landmarks: Annotated[str, typer.Option(help="Where the landmarks lie: arcface, dlib or retail-0095.")] = "arcface",
    colours: Annotated[str, typer.Option(help="The order of its channels: rgb or bgr.")] = "rgb",
    mean: Annotated[str, typer.Option(help="Subtracted from values 0..255: one number or three.")] = "127.5",
    std: Annotated[str, typer.Option(help="Then divided by: one number or three.")] = "127.5",
    licence: Annotated[str, typer.Option(help="The licence of the weights, for the model card.")] = "its owner's",
) -> None:
    """Make a bundle of somebody else's network, with thresholds measured on your photos."""
    # In a process of its own: the service's package never imports the one that trains, and images do not have it.
    if find_spec("training") is None:
        fail("This installation has no training code. Run the command in a clone of the repository.")
    options = {"photos": photos, "out": out, "size": size, "landmarks": landmarks, "colours": colours}
    options |= {"mean": mean, "std": std, "licence": licence}
    words = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "training", "import-model", *words, "--", str(file)]
    if subprocess.run(command, check=False).returncode:  # noqa: S603  # each option is one word, and no shell reads them
        raise typer.Exit(ERROR)


def _describe(card: Mapping[str, Any]) -> Iterator[str]:
    yield f"{card['name']} {card['version']}"
    yield f"encoder {card['encoder_id']}, {card['embedding_dim']} numbers per face"
    if detector := card.get("serving_detector"):
        yield f"detector {detector}"
    if hardware := card.get("serving_on"):
        yield f"on {hardware['device']}: {hardware['processor']} ({hardware['instruction_set']})"
    if calibration := card.get("calibration"):
        yield f"calibrated on {calibration['data']}; default FMR {calibration['default_fmr']:g}"
    else:
        yield "not calibrated"


def _find(bundle: str) -> Path:
    from model.encoder.bundle import find_bundle
    from model.runtime.torchscript import BundleError

    with fail_on(BundleError):
        return find_bundle(bundle)


def _read_card(path: Path) -> dict[str, Any]:
    """A file's metadata, as GET /model answers it; only a `reason` if it is no bundle."""
    from model.encoder.bundle import load_bundle
    from model.runtime.torchscript import BundleError

    try:
        card: dict[str, Any] = json.loads(json.dumps(asdict(load_bundle(path).metadata)))
    except BundleError as error:
        return {"reason": str(error)}
    return card
