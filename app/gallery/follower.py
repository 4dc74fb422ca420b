"""The galleries of one SQLite file in memory, kept up with every process that writes to it."""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Row, create_engine, func, select, text
from sqlalchemy.pool import StaticPool

from app.gallery.index import VectorIndex
from app.gallery.tables import changes, templates

BUSY_SECONDS: Final = 30.0  # how long one process waits for another's write


class Shelf:
    """One gallery in memory."""

    def __init__(self, dimension: int) -> None:
        self.index = VectorIndex(dimension)
        self.encoders: dict[str, int] = {}  # how many templates of each
        self.detectors: dict[str, int] = {}


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
        self._home: dict[str, tuple[str, str, str]] = {}  # template id -> gallery, encoder, detector
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

    def _fell_behind(self) -> bool:
        oldest = self._connection.scalar(select(func.min(changes.c.seq)))
        return oldest is not None and oldest > self._seq + 1

    def _read_everything(self) -> None:
        self._start_anew()
        # The sequence first: what is written in between is then read twice, and adding twice changes nothing.
        newest = self._connection.scalar(select(func.max(changes.c.seq))) or 0
        for row in self._connection.execute(select(templates)):
            self._add(row)
        self._seq = newest

    def _read_changes(self) -> None:
        joined = changes.outerjoin(templates, changes.c.template_id == templates.c.template_id)
        query = select(changes.c.seq, changes.c.template_id.label("changed"), templates).select_from(joined)
        for row in self._connection.execute(query.where(changes.c.seq > self._seq).order_by(changes.c.seq)):
            if row.template_id is None:
                self._remove(row.changed)
            else:
                self._add(row)
            self._seq = row.seq

    def _add(self, row: Row[Any]) -> None:
        if row.template_id in self._home:
            return
        vector = row.vector
        shelf = self.shelves.setdefault(row.gallery, Shelf(len(vector)))
        shelf.encoders[row.encoder_id] = shelf.encoders.get(row.encoder_id, 0) + 1
        shelf.detectors[row.detector] = shelf.detectors.get(row.detector, 0) + 1
        if len(shelf.encoders) == 1:  # mixed encoders cannot be searched, and may differ in dimension
            shelf.index.add(row.template_id, row.identity, vector)
        self._home[row.template_id] = (row.gallery, row.encoder_id, row.detector)

    def _remove(self, template_id: str) -> None:
        home = self._home.pop(template_id, None)
        if home is None:
            return
        gallery, encoder, detector = home
        shelf = self.shelves[gallery]
        shelf.index.remove(template_id)
        for counts, key in ((shelf.encoders, encoder), (shelf.detectors, detector)):
            counts[key] -= 1
            if not counts[key]:
                del counts[key]
        if not shelf.encoders:
            del self.shelves[gallery]
