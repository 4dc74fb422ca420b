"""`python -m benchmarks.choices`: whether the choices that make the service fast cost accuracy.

Measures TAR on every pair of LFW's peopleDevTest, people who trained nothing, with a bootstrap paired over people. The
choices: fused convolutions, bf16, and decoding large JPEGs at reduced size (the photos are enlarged for it). The
detector has a comparison of its own: `python -m training detector report`.
"""

from pathlib import Path
from typing import Annotated

import typer


def main(
    every: Annotated[int, typer.Option(help="Enlarge only every N-th photo.")] = 1,
    build: Annotated[Path, typer.Option(help="Folder of prepared crops.")] = Path("build"),
) -> None:
    from benchmarks.accuracy_cost import measure_choices

    measure_choices(every, build)


if __name__ == "__main__":
    typer.run(main)
