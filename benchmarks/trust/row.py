"""What an attack found: one row of the table."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image
from rich.table import Table

from tests.support.fakes import encoded
from tests.support.postgres_server import PostgresServer

SHOWN = 12  # kinds of answers in a row


@dataclass(frozen=True)
class Options:
    """What the attacks share."""

    inputs: int  # damaged photos
    seed: int
    build: Path  # for reports
    folder: Path  # temporary, for galleries and logs
    postgres: PostgresServer


@dataclass
class Row:
    """A kind of fault. `faults` says what should not have happened. Without any, a row has passed."""

    kind: str
    inputs: int = 0
    seen: "Counter[str]" = field(default_factory=Counter)  # what the client saw
    lost: int | None = None  # acknowledged enrollments that are not there afterwards; None: nothing was enrolled
    leaked: int | None = None  # secrets found where they must not be; None: nobody looked
    faults: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)  # what could not be tried here, and why

    def see(self, what: str) -> None:
        """Counts one input and its answer."""
        self.inputs += 1
        self.seen[what] += 1

    def require(self, condition: object, fault: str) -> None:
        """Notes the fault unless the condition holds."""
        if not condition:
            self.faults.append(fault)

    @property
    def verdict(self) -> str:
        untried = not self.inputs and not self.not_checked
        if self.faults or self.lost or self.leaked or untried:
            return "FAILED"
        return "not checked" if self.not_checked else "passed"


Attack = Callable[[Options], Iterator[Row]]


@contextmanager
def faults_of(row: Row) -> Iterator[None]:
    """Turns an exception into a fault of the row, so that the other rows are still measured."""
    try:
        yield
    except Exception as error:
        row.faults.append(f"{type(error).__name__}: {str(error)[:300]}")


def portrait() -> bytes:
    """Returns a photo with a face: NASA's portrait of Eileen Collins, in the public domain."""
    pixels: NDArray[np.uint8] = skimage.data.astronaut()  # type: ignore[no-untyped-call]
    return encoded(Image.fromarray(pixels), "JPEG", quality=90)


def make_table(rows: list[Row]) -> Table:
    """Returns one table of all rows."""
    table = Table(title="make trust", show_lines=True)
    for name in ("kind of fault", "inputs", "what the client saw", "lost", "leaked", "verdict"):
        table.add_column(name, justify="right" if name in ("inputs", "lost", "leaked") else "left")
    for row in rows:
        seen = [f"{what}: {count:,}" for what, count in row.seen.most_common(SHOWN)]
        if len(row.seen) > SHOWN:
            seen.append(f"{len(row.seen) - SHOWN} more kinds")
        seen += [f"not checked: {why}" for why in row.not_checked] + [f"FAULT: {each}" for each in row.faults[:5]]
        lost, leaked = ("" if count is None else str(count) for count in (row.lost, row.leaked))
        table.add_row(row.kind, f"{row.inputs:,}", "\n".join(seen), lost, leaked, row.verdict)
    return table
