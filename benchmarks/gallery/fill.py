"""Fills galleries with many templates by bulk SQL: enrolling a million one by one would take hours."""

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np
import psycopg
from pgvector.psycopg import register_vector

from app.gallery import open_gallery
from app.gallery.base import DEFAULT_GALLERY
from app.gallery.postgres.queries import create_index, index_name
from benchmarks.gallery.child import ENCODER_ID

CREATED_AT: Final = "2026-01-01 00:00:00.000000"


def template_id(gallery: str, row: int) -> str:
    """In the default gallery the row itself, in hex."""
    return f"{row:032x}" if gallery == DEFAULT_GALLERY else f"{gallery}-{row}"


def create_tables(url: str) -> None:
    async def open_and_close() -> None:
        await (await open_gallery(url)).close()

    asyncio.run(open_and_close())


def fill_sqlite(folder: Path, gallery: str = DEFAULT_GALLERY) -> None:
    """Inserts templates.npy into gallery.db, one identity per template."""
    vectors = np.load(folder / "templates.npy", mmap_mode="r")
    with closing(sqlite3.connect(folder / "gallery.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO identities VALUES (?, ?, '{}', ?)",
            ((gallery, f"p{row}", CREATED_AT) for row in range(len(vectors))),
        )
        connection.executemany(
            "INSERT INTO templates (template_id, gallery, identity, encoder_id, detector, quality, vector, created_at) "
            "VALUES (?, ?, ?, ?, 'drawn', 0.5, ?, ?)",
            (
                (template_id(gallery, row), gallery, f"p{row}", ENCODER_ID, vector.tobytes(), CREATED_AT)
                for row, vector in enumerate(vectors)
            ),
        )


def fill_postgres(url: str, folder: Path, gallery: str = DEFAULT_GALLERY) -> dict[str, float]:
    """Copies templates.npy into the database and builds the index last, as is usual for bulk loads.

    Returns the seconds that the index took and its size in MiB.
    """
    vectors = np.load(folder / "templates.npy", mmap_mode="r")
    with psycopg.connect(url, autocommit=True) as connection:
        register_vector(connection)
        name = index_name(vectors.shape[1])
        connection.execute(f"DROP INDEX IF EXISTS {name}".encode())
        with connection.cursor().copy("COPY identities FROM STDIN") as copy:
            for row in range(len(vectors)):
                copy.write_row((gallery, f"p{row}", "{}", CREATED_AT))
        columns = "template_id, gallery, identity, encoder_id, detector, quality, vector, created_at"
        with connection.cursor().copy(f"COPY templates ({columns}) FROM STDIN") as copy:
            for row, vector in enumerate(vectors):
                texts = (template_id(gallery, row), gallery, f"p{row}", ENCODER_ID, "drawn")
                copy.write_row((*texts, 0.5, np.array(vector), CREATED_AT))
        counted = (gallery, ENCODER_ID, len(vectors))
        connection.execute("INSERT INTO holdings VALUES (%s, %s, 'drawn', %s)", counted)
        connection.execute("SET maintenance_work_mem = '1500MB'")
        start = time.perf_counter()
        connection.execute(str(create_index(vectors.shape[1])).encode())
        build_seconds = time.perf_counter() - start
        connection.execute("VACUUM ANALYZE")
        (size,) = connection.execute("SELECT pg_relation_size(%s::regclass)", (name,)).fetchone() or (0,)
    return {"index_built_s": build_seconds, "index_mib": size / 2**20}
