"""In-memory indexes of the galleries in one SQLite file, kept up to date with every process that writes to it.

Memory holds vectors and template numbers only. Names are read from the file, for the few templates in an answer.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.pool import StaticPool

from app.gallery.base import Candidate, IdentityComparison
from app.gallery.ranking import add_rejections, best_identities
from app.gallery.sql.reads import check_identity
from app.gallery.sql.tables import changes
from app.gallery.sqlite.index import VectorIndex

BATCH_SIZE: Final = 10_000  # rows fetched together
Origin = tuple[str, str, str]  # gallery, encoder id, detector: shared by all templates that have the same

SELECT_ALL: Final = "SELECT number, gallery, encoder_id, detector, vector, expires_at FROM templates ORDER BY number"
SELECT_ADDED: Final = """
SELECT templates.number, gallery, encoder_id, detector, vector, expires_at
FROM changes JOIN templates ON templates.number = changes.number WHERE seq > ? AND seq <= ? ORDER BY seq"""
SELECT_REMOVED: Final = """
SELECT changes.number FROM changes LEFT JOIN templates ON templates.number = changes.number
WHERE seq > ? AND seq <= ? AND templates.number IS NULL"""
SELECT_NAMES: Final = """
SELECT number, CAST(identity AS BLOB), template_id FROM json_each(?) JOIN templates ON number = value"""
SELECT_IDENTITY: Final = """
SELECT identity, template_id, vector, detector FROM templates
WHERE gallery = ? AND encoder_id = ? AND identity = ? AND (expires_at IS NULL OR expires_at > ?)"""
SELECT_REJECTIONS: Final = """
SELECT identity, vector FROM json_each(?) JOIN rejections ON identity = value WHERE gallery = ? AND encoder_id = ?"""
SELECT_ANYBODY: Final = "SELECT 1 FROM identities WHERE gallery = ? LIMIT 1"


class GalleryIndex:
    """The index of one gallery: its vectors, and the number of templates per encoder and detector."""

    def __init__(self, dimension: int) -> None:
        self.vectors = VectorIndex(dimension)
        self.encoders: dict[str, int] = {}
        self.detectors: dict[str, int] = {}

    def count(self, encoder_id: str, detector: str, change: int) -> None:
        """Adds `change` to the number of templates of an encoder and a detector."""
        for counts, key in ((self.encoders, encoder_id), (self.detectors, detector)):
            counts[key] = counts.get(key, 0) + change
            if not counts[key]:
                del counts[key]


class ChangeFeed:
    """Applies the changes of all processes to the indexes.

    SQLite's `data_version` tells one connection that another one has committed; the table `changes` lists what. The
    connection of this class therefore never writes. Expired templates leave the indexes by themselves.
    """

    def __init__(self, path: Path, wait_s: float, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        url = f"sqlite:///{path}"
        options = {"timeout": wait_s, "check_same_thread": False}
        self._engine = create_engine(url, poolclass=StaticPool, isolation_level="AUTOCOMMIT", connect_args=options)
        self._connection = self._engine.connect()
        self._reset()

    def _reset(self) -> None:
        self.indexes: dict[str, GalleryIndex] = {}
        self._origins: dict[int, Origin] = {}  # by template number
        self._expiring: list[tuple[str, int]] = []  # a heap of times, as the file has them, and template numbers
        self._version = -1
        self._seq = -1  # of the last change applied

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    def catch_up(self) -> None:
        """Applies everything that was committed, and drops what has expired, since the last call."""
        self._expire()
        version = self._connection.scalar(text("PRAGMA data_version"))
        if version == self._version:
            return
        if self._seq < 0 or self._fell_behind():
            self._reload()
        else:
            self._apply_changes()
        self._version = version

    def search(self, gallery: str, encoder_id: str, vector: NDArray[np.float32], top_k: int) -> tuple[Candidate, ...]:
        """Returns the `top_k` identities most similar to `vector` (D,). The gallery must have an index."""
        nearest = self._search_index(gallery, vector, top_k)
        return self._add_rejections(gallery, encoder_id, vector, nearest)

    def _search_index(self, gallery: str, vector: NDArray[np.float32], top_k: int) -> tuple[Candidate, ...]:
        index = self.indexes[gallery].vectors
        limit = 4 * top_k
        while True:
            numbers, scores = index.nearest(vector, limit)
            similarities = dict(zip(numbers.tolist(), scores.tolist(), strict=True))
            # The join drops templates that another process has deleted in the meantime.
            rows = self._connection.exec_driver_sql(SELECT_NAMES, (json.dumps(list(similarities)),))
            candidates = best_identities(
                (
                    Candidate(identity.decode("utf-8", "replace"), similarities[number], template_id)
                    for number, identity, template_id in rows
                ),
                top_k,
            )
            if len(candidates) >= top_k or limit >= len(index):
                return candidates
            limit *= 4  # the templates found belong to few people

    def compare(self, gallery: str, encoder_id: str, vector: NDArray[np.float32], identity: str) -> IdentityComparison:
        """Compares `vector` (D,) with the templates of one identity. Raises UnknownGallery, UnknownIdentity."""
        rows = self._connection.exec_driver_sql(SELECT_IDENTITY, (gallery, encoder_id, identity, self._now())).all()
        if not rows:
            check_identity(self._connection, gallery, identity)
        # As a sum, like the index: equal vectors must give equal numbers.
        scores = [float(np.clip((np.frombuffer(row.vector, "<f4") * vector).sum(), -1.0, 1.0)) for row in rows]
        scored = zip(rows, scores, strict=True)
        best = best_identities((Candidate(row.identity, score, row.template_id) for row, score in scored), 1)
        best = self._add_rejections(gallery, encoder_id, vector, best)
        return IdentityComparison(best[0] if best else None, len(rows), frozenset(row.detector for row in rows))

    def _add_rejections(
        self, gallery: str, encoder_id: str, vector: NDArray[np.float32], candidates: Sequence[Candidate]
    ) -> tuple[Candidate, ...]:
        names = json.dumps([each.identity for each in candidates])
        # As plain SQL: every search runs it, and SQLAlchemy takes longer to build it than to search a small gallery.
        rows = self._connection.exec_driver_sql(SELECT_REJECTIONS, (names, gallery, encoder_id))
        rejections = [(row.identity, np.frombuffer(row.vector, "<f4")) for row in rows]
        return add_rejections(candidates, vector, rejections)

    def is_enrolled(self, gallery: str) -> bool:
        """Whether the gallery has anybody, expired or not."""
        return self._connection.exec_driver_sql(SELECT_ANYBODY, (gallery,)).first() is not None

    def _now(self) -> str:
        """The time in the format of the file, which sorts by time."""
        return self._clock().strftime("%Y-%m-%d %H:%M:%S.%f")

    def _expire(self) -> None:
        expired = []
        now = self._now() if self._expiring else ""
        while self._expiring and self._expiring[0][0] <= now:
            expired.append(heappop(self._expiring)[1])
        self._remove(expired)

    def _fell_behind(self) -> bool:
        """Whether changes that this process has not applied were pruned."""
        oldest = self._connection.scalar(select(func.min(changes.c.seq)))
        return oldest is not None and oldest > self._seq + 1

    def _reload(self) -> None:
        self._reset()
        # First the sequence, then the rows: a change in between is applied twice, which does no harm.
        newest = self._connection.scalar(select(func.max(changes.c.seq))) or 0
        rows = self._connection.exec_driver_sql(SELECT_ALL)
        while batch := rows.fetchmany(BATCH_SIZE):
            self._add(batch)
        for index in self.indexes.values():
            index.vectors.prepare()
        self._seq = newest

    def _apply_changes(self) -> None:
        newest = self._connection.scalar(select(func.max(changes.c.seq))) or self._seq
        # A search waits for this, and a deletion may remove hundreds of thousands: so without SQLAlchemy's rows.
        cursor = self._connection.connection.cursor()
        removed = cursor.execute(SELECT_REMOVED, (self._seq, newest)).fetchall()
        cursor.close()
        self._remove(number for (number,) in removed)
        # What is removed from now on has a later sequence number.
        self._add(self._connection.exec_driver_sql(SELECT_ADDED, (self._seq, newest)).all())
        self._seq = newest

    def _add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Adds rows of number, gallery, encoder id, detector, vector and expiry. Known or expired ones are skipped."""
        now = self._now()
        numbers: dict[Origin, list[int]] = {}
        vectors: dict[Origin, list[bytes]] = {}
        for number, gallery, encoder_id, detector, vector, expires_at in rows:
            if number not in self._origins and (expires_at is None or expires_at > now):
                if expires_at is not None:
                    heappush(self._expiring, (expires_at, number))
                origin = (gallery, encoder_id, detector)
                numbers.setdefault(origin, []).append(number)
                vectors.setdefault(origin, []).append(vector)
        for origin, added in numbers.items():
            gallery, encoder_id, detector = origin
            new = np.frombuffer(b"".join(vectors[origin]), "<f4").reshape(len(added), -1)  # (N, D)
            index = self.indexes.setdefault(gallery, GalleryIndex(new.shape[1]))
            index.count(encoder_id, detector, len(added))
            if len(index.encoders) == 1:  # a second encoder is an error: its vectors may differ in dimension
                index.vectors.add(np.array(added), new)
            self._origins |= dict.fromkeys(added, origin)

    def _remove(self, numbers: Iterable[int]) -> None:
        removed: dict[Origin, list[int]] = {}
        for number in numbers:
            origin = self._origins.pop(number, None)
            if origin is not None:
                removed.setdefault(origin, []).append(number)
        for (gallery, encoder_id, detector), some in removed.items():
            index = self.indexes[gallery]
            index.vectors.remove(some)
            index.count(encoder_id, detector, -len(some))
            if not index.encoders:
                del self.indexes[gallery]
