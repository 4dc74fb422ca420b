"""`make bench-gallery`: galleries of a thousand to a million templates, in SQLite and in PostgreSQL, beside libraries.

Embeddings are drawn from distributions that are fitted to those of real people (benchmarks/gallery/population.py). Half
of the probes show enrolled people on other photos, half show strangers. Recall is the share of probes for which a store
finds the same best template as an exact search. Prints a table; writes docs/reports/gallery.json and
docs/plots/gallery.png.
"""

from pathlib import Path
from typing import Annotated, Final

import typer

SIZES: Final = [1_000, 10_000, 100_000, 1_000_000]


def main(
    sizes: Annotated[list[int], typer.Option(help="Number of templates; may be given several times.")] = SIZES,
    build: Annotated[Path, typer.Option(help="Folder of prepared crops.")] = Path("build"),
) -> None:
    from benchmarks.gallery.measurement import measure_galleries

    measure_galleries(sizes, build)


if __name__ == "__main__":
    typer.run(main)
