"""`python -m training`: from photos to a bundle, step by step, and what is measured beside it."""

import typer

from training.commands import bundle, data, detector, studies
from training.commands.options import in_words

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
for commands in (bundle, data, studies):
    app.add_typer(commands.app)
app.add_typer(detector.app, name="detector")


def main() -> None:
    with in_words():
        app()


if __name__ == "__main__":  # worker processes import this module too
    main()
