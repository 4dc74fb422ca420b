"""Measures one store in a process of its own, so that the growth of its memory is the store's.

benchmarks/gallery/__main__.py runs it: `python -m benchmarks.gallery.child STORE FOLDER [URL]`; it prints JSON. FOLDER
has templates.npy (N, D) and probes.npy (P, D). URL is that of a gallery; without it STORE names a library.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.gallery import open_gallery
from app.gallery.base import DEFAULT_GALLERY, IfExists, NewTemplate

ENCODER_ID: Final = "0" * 64
TOP_K: Final = 5  # the default of /identify
ENROLLMENTS: Final = 200
CHUNK: Final = 50_000
Search = Callable[[NDArray[np.float32]], int]  # a probe (D,) -> the row of the best template
Add = Callable[[int, NDArray[np.float32]], Any]  # the row of the first vector, and vectors (N, D)


def anonymous_memory_mib() -> float:
    """Returns the memory of this process in MiB that is not backed by files. Linux only."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("This system does not report a process's anonymous memory. Run the benchmark on Linux.")


def measure_search(search: Search, probes: NDArray[np.float32]) -> dict[str, Any]:
    """Searches for each probe. Returns p50 and p99 in ms, and the row that was found for each."""
    best, ms = [], []
    for probe in (probes[0], *probes):  # the first one warms up
        start = time.perf_counter()
        best.append(search(probe))
        ms.append((time.perf_counter() - start) * 1000)
    return {
        "p50_ms": float(np.percentile(ms[1:], 50)),
        "p99_ms": float(np.percentile(ms[1:], 99)),
        "best": best[1:],
    }


def measure_gallery(url: str, probes: NDArray[np.float32]) -> dict[str, Any]:
    """Opens the gallery, searches it and enrolls into it."""
    with asyncio.Runner() as runner:
        memory, start = anonymous_memory_mib(), time.perf_counter()
        gallery = runner.run(open_gallery(url))

        def search(probe: NDArray[np.float32]) -> int:
            result = runner.run(gallery.search(DEFAULT_GALLERY, probe, ENCODER_ID, TOP_K))
            return int(result.candidates[0].template_id, 16)

        search(probes[0])
        start_seconds = time.perf_counter() - start
        bare = connect_bare_postgres(url) if url.startswith("postgresql") else None
        figures = {
            "start_s": start_seconds,
            **measure_search(search, probes),
            "mib": anonymous_memory_mib() - memory,
        }
        if bare is not None:
            figures.update(compare_with_bare(search, bare, probes))
        start = time.perf_counter()
        for number, vector in enumerate(probes[:ENROLLMENTS]):
            new = NewTemplate(DEFAULT_GALLERY, f"new{number}", vector, ENCODER_ID, "drawn", 0.5)
            runner.run(gallery.enroll(new, IfExists.REJECT))
        figures["enrolled_a_second"] = ENROLLMENTS / (time.perf_counter() - start)
        runner.run(gallery.close())
    return figures


def compare_with_bare(search: Search, bare: Search, probes: NDArray[np.float32]) -> dict[str, float]:
    """Measures both in turn on tenths of the probes. Returns medians: p50 of the bare query, and the ratio to it."""
    pairs = [
        (measure_search(search, some)["p50_ms"], measure_search(bare, some)["p50_ms"])
        for some in np.array_split(probes, 10)
    ]
    return {
        "bare_p50_ms": float(np.median([bare_ms for _, bare_ms in pairs])),
        "of_bare": float(np.median([ms / bare_ms for ms, bare_ms in pairs])),
    }


def connect_bare_postgres(url: str) -> Search:
    """Returns the gallery's query alone: prepared, on one connection, without the gallery's code around it."""
    import psycopg
    from pgvector.psycopg import register_vector

    from app.gallery.postgres.connections import EF_SEARCH
    from app.gallery.postgres.gallery import EXACT_LIMIT

    connection = psycopg.connect(url, autocommit=True)
    register_vector(connection)
    connection.execute("SET hnsw.iterative_scan = strict_order")
    connection.execute(f"SET hnsw.ef_search = {EF_SEARCH}")
    (size, dimension) = connection.execute("SELECT count(*), min(vector_dims(vector)) FROM templates").fetchone() or (
        0,
        0,
    )
    column = f"vector::vector({dimension})" if size > EXACT_LIMIT else "vector"
    condition = f"AND vector_dims(vector) = {dimension}" if size > EXACT_LIMIT else ""
    query = f"""SELECT identity, template_id, {column} <#> %(probe)s AS distance FROM templates
    WHERE gallery = 'default' AND encoder_id = '{ENCODER_ID}' {condition} ORDER BY distance LIMIT {4 * TOP_K}"""

    def search(probe: NDArray[np.float32]) -> int:
        rows = connection.execute(query.encode(), {"probe": probe}, prepare=True).fetchall()
        return int(rows[0][1], 16)

    return search


def measure_library(name: str, templates: NDArray[np.float32], probes: NDArray[np.float32]) -> dict[str, Any]:
    """Searches the same vectors in a library's index: no names, no file, no other processes."""
    memory, start = anonymous_memory_mib(), time.perf_counter()
    search, add = LIBRARIES[name](templates.shape[1])
    for first in range(0, len(templates), CHUNK):
        add(first, np.array(templates[first : first + CHUNK]))
    return {
        "start_s": time.perf_counter() - start,
        **measure_search(search, probes),
        "mib": anonymous_memory_mib() - memory,
    }


def faiss_flat(dimension: int) -> tuple[Search, Add]:
    """Compares every vector."""
    import faiss

    index: Any = faiss.IndexFlatIP(dimension)
    return lambda probe: int(index.search(probe[None], TOP_K)[1][0, 0]), lambda _, vectors: index.add(vectors)


def usearch_hnsw(dimension: int) -> tuple[Search, Add]:
    """An HNSW graph with usearch's defaults, but for float16 vectors."""
    from usearch.index import Index

    index = Index(ndim=dimension, metric="ip", dtype="f16")
    return (
        lambda probe: int(index.search(probe, TOP_K).keys[0]),
        lambda first, vectors: index.add(np.arange(first, first + len(vectors)), vectors),
    )


LIBRARIES: Final = {"faiss flat": faiss_flat, "usearch": usearch_hnsw}


def main(store: str, folder: str, url: str = "") -> None:
    templates = np.load(Path(folder) / "templates.npy", mmap_mode="r")  # for a library; a gallery was filled before
    probes = np.load(Path(folder) / "probes.npy")
    print(json.dumps(measure_gallery(url, probes) if url else measure_library(store, templates, probes)))


if __name__ == "__main__":
    main(*sys.argv[1:])
