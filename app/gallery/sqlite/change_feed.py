"""The galleries of one SQLite file in memory, kept up with every process that writes to it: vectors and numbers only.
Names are read from the file, for the few that an answer lists."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.pool import StaticPool

from app.gallery.base import Candidate
from app.gallery.ranking import best_identities
from app.gallery.sql.tables import changes
from app.gallery.sqlite.index import VectorIndex

BUSY_SECONDS: Final = 30.0  # how long one process waits for another's write
AT_ONCE: Final = 10_000  # rows read together
Kind = tuple[str, str, str]  # gallery, encoder, detector

EVERYTHING: Final = "SELECT number, gallery, encoder_id, detector, vector FROM templates ORDER BY number"
CHANGED: Final = """
SELECT seq, changes.number AS changed, templates.number, gallery, encoder_id, detector, vector
FROM changes LEFT JOIN templates ON templates.number = changes.number WHERE seq > ? ORDER BY seq"""
NAMES: Final = "SELECT number, identity, template_id FROM json_each(?) JOIN templates ON number = value"
OF_ONE: Final = """
SELECT identity, template_id, vector FROM templates WHERE gallery = ? AND encoder_id = ? AND identity = ?"""


class Shelf:
    """One gallery in memory."""

    def __init__(self, dimension: int) -> None:
        self.index = VectorIndex(dimension)
        self.encoders: dict[str, int] = {}  # how many templates of each
        self.detectors: dict[str, int] = {}

    def count(self, kind: Kind, more: int) -> None:
        for counts, key in ((self.encoders, kind[1]), (self.detectors, kind[2])):
            counts[key] = counts.get(key, 0) + more
            if not counts[key]:
                del counts[key]


class Follower:
    """Keeps the index up with the file, whoever wrote to it: SQLite tells by `data_version`, on one connection that
    itself never writes, that some other connection has committed; `changes` tells what."""

    def __init__(self, path: Path) -> None:
        waiting = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        url = f"sqlite:///{path}"
        self._engine = create_engine(url, poolclass=StaticPool, isolation_level="AUTOCOMMIT", connect_args=waiting)
        self._connection = self._engine.connect()
        self._start_anew()

    def _start_anew(self) -> None:
        self.shelves: dict[str, Shelf] = {}
        self._kind_of: dict[int, Kind] = {}  # by the template's number
        self._version = -1
        self._seq = -1

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def catch_up(self) -> None:
        version = self._connection.scalar(text("PRAGMA data_version"))
        if version == self._version:
            return
        if self._seq < 0 or self._fell_behind():
            self._read_everything()
        else:
            self._read_changes()
        self._version = version

    def search(self, gallery: str, vector: NDArray[np.float32], top_k: int) -> tuple[Candidate, ...]:
        """Of a gallery that is there: the `top_k` identities most similar to `vector` (D,)."""
        index = self.shelves[gallery].index
        wanted = 4 * top_k
        while True:
            numbers, scores = index.nearest(vector, wanted)
            similarities = dict(zip(numbers.tolist(), scores.tolist(), strict=True))
            # Who is no longer there has just been erased by another process.
            rows = self._connection.exec_driver_sql(NAMES, (json.dumps(list(similarities)),))
            found = best_identities((Candidate(name, similarities[n], known) for n, name, known in rows), top_k)
            if len(found) >= top_k or wanted >= len(index):
                return found
            wanted *= 4  # several templates of few people: look further down

    def compare(
        self, gallery: str, encoder_id: str, vector: NDArray[np.float32], identity: str
    ) -> tuple[Candidate, ...]:
        """The best template of one identity; none where nobody has the name."""
        rows = self._connection.exec_driver_sql(OF_ONE, (gallery, encoder_id, identity)).all()
        scores = [float(np.clip(np.frombuffer(row.vector, "<f4") @ vector, -1.0, 1.0)) for row in rows]
        held = zip(rows, scores, strict=True)
        return best_identities((Candidate(row.identity, score, row.template_id) for row, score in held), 1)

    def _fell_behind(self) -> bool:
        oldest = self._connection.scalar(select(func.min(changes.c.seq)))
        return oldest is not None and oldest > self._seq + 1

    def _read_everything(self) -> None:
        self._start_anew()
        # The sequence first: what is written in between is then read twice, and adding twice changes nothing.
        newest = self._connection.scalar(select(func.max(changes.c.seq))) or 0
        rows = self._connection.exec_driver_sql(EVERYTHING)
        while some := rows.fetchmany(AT_ONCE):
            self._add(some)
        for shelf in self.shelves.values():
            shelf.index.prepare()
        self._seq = newest

    def _read_changes(self) -> None:
        rows = self._connection.exec_driver_sql(CHANGED, (self._seq,)).all()
        self._remove({row.changed for row in rows if row.number is None})
        self._add([row[2:] for row in rows if row.number is not None])
        if rows:
            self._seq = rows[-1].seq

    def _add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Of those columns that EVERYTHING names."""
        numbers: dict[Kind, list[int]] = {}
        vectors: dict[Kind, list[bytes]] = {}
        for number, gallery, encoder, detector, vector in rows:
            if number not in self._kind_of:
                kind = (gallery, encoder, detector)
                numbers.setdefault(kind, []).append(number)
                vectors.setdefault(kind, []).append(vector)
        for kind, some in numbers.items():
            new = np.frombuffer(b"".join(vectors[kind]), "<f4").reshape(len(some), -1)  # (N, D)
            shelf = self.shelves.setdefault(kind[0], Shelf(new.shape[1]))
            shelf.count(kind, len(some))
            if len(shelf.encoders) == 1:  # mixed encoders cannot be searched, and may differ in dimension
                shelf.index.add(np.array(some), new)
            self._kind_of |= dict.fromkeys(some, kind)

    def _remove(self, numbers: Iterable[int]) -> None:
        gone: dict[Kind, list[int]] = {}
        for number in numbers:
            kind = self._kind_of.pop(number, None)
            if kind is not None:
                gone.setdefault(kind, []).append(number)
        for kind, some in gone.items():
            shelf = self.shelves[kind[0]]
            shelf.index.remove(some)
            shelf.count(kind, -len(some))
            if not shelf.encoders:
                del self.shelves[kind[0]]
