"""`python -m benchmarks.encoders deploy build/fast.pt ...`: the cost of each encoder on one thread, and its accuracy.

The accuracies are read from the bundles. The times are measured now: compare them only with each other.
"""

from typing import Annotated

import typer


def main(bundles: Annotated[list[str], typer.Argument(help="Names of shipped bundles, or paths.")]) -> None:
    from benchmarks.speed.encoders import print_encoders

    print_encoders(bundles)


if __name__ == "__main__":
    typer.run(main)
