"""The `facetwin` command.

Each command imports what it needs when it runs, so that `--help` never waits for torch.
"""

from app.cli.application import main

__all__ = ["main"]
