"""`python -m benchmarks.endurance overload|soak`: the service under more load than it can serve, and for long."""

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
PrecisionOption = Annotated[Literal["float32", "bf16"], typer.Option(help="Precision of the encoder.")]


@app.command()
def overload(
    factor: Annotated[float, typer.Option(help="Offered load, as a multiple of the sustainable load.")] = 4.0,
    seconds: Annotated[float, typer.Option(help="Length of the overload.")] = 60.0,
    precision: PrecisionOption = "float32",
) -> None:
    """Offer FACTOR times the sustainable load: what is answered, refused and delayed, and how fast it recovers."""
    from benchmarks.service.endurance import measure_overload
    from model.encoder.bundle import Precision

    measure_overload(factor, seconds, Precision(precision))


@app.command()
def soak(
    requests: Annotated[int, typer.Option(help="Number of requests in all.")] = 100_000,
    warm_up: Annotated[int, typer.Option(help="Number of first requests that do not count.")] = 10_000,
    precision: PrecisionOption = "float32",
    plot: Annotated[Path, typer.Option(help="Picture to write.")] = Path("docs/plots/soak.png"),
) -> None:
    """Send many requests to /verify and /identify in turn: whether memory grows."""
    from benchmarks.service.endurance import measure_soak
    from model.encoder.bundle import Precision

    measure_soak(requests, warm_up, Precision(precision), plot)


if __name__ == "__main__":
    app()
