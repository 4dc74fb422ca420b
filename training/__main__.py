"""`python -m training`: every step from photos to a bundle, and the measurements that go with it."""

import typer

from training.commands import (
    calibration,
    card,
    data,
    detector,
    evaluation,
    experiments,
    hardest_pairs,
    heads,
    identification,
    imports,
    liveness,
    pipeline,
    several_templates,
)
from training.commands.options import CommandGroup

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
for commands in (
    pipeline,
    calibration,
    evaluation,
    identification,
    several_templates,
    hardest_pairs,
    heads,
    data,
    experiments,
    imports,
    card,
):
    app.add_typer(commands.app)
app.add_typer(detector.app, name="detector")
app.add_typer(liveness.app, name="liveness")


if __name__ == "__main__":  # worker processes import this module too
    app()
