"""One store of templates in a process of its own, whose memory is all the store's: opened, asked, enrolled into.

Run by benchmarks/gallery.py: `python -m benchmarks.gallery_child KIND WHERE`; prints JSON. WHERE is a folder with
templates.npy (N, D) and probes.npy (P, D), and the store's url where it is a gallery.
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

ENCODER: Final = "0" * 64
TOP_K: Final = 5  # what /identify lists by default
ENROLLED: Final = 200
CHUNK: Final = 50_000
Search = Callable[[NDArray[np.float32]], int]  # a probe (D,) -> the row of the best template


def anonymous_mib() -> float:
    """Memory of this process that no file could give back."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell a process's memory")


def ask(search: Search, probes: NDArray[np.float32]) -> dict[str, Any]:
    best, taken = [], []
    for probe in (probes[0], *probes):  # the first one warms up
        start = time.perf_counter()
        best.append(search(probe))
        taken.append((time.perf_counter() - start) * 1000)
    return {
        "p50_ms": float(np.percentile(taken[1:], 50)),
        "p99_ms": float(np.percentile(taken[1:], 99)),
        "best": best[1:],
    }


def gallery(url: str, probes: NDArray[np.float32]) -> dict[str, Any]:
    with asyncio.Runner() as runner:
        before, start = anonymous_mib(), time.perf_counter()
        store = runner.run(open_gallery(url))

        def search(probe: NDArray[np.float32]) -> int:
            found = runner.run(store.search(DEFAULT_GALLERY, probe, ENCODER, TOP_K))
            return int(found.candidates[0].template_id, 16)

        search(probes[0])
        started = time.perf_counter() - start
        bare = bare_postgres(url) if url.startswith("postgresql") else None
        told = {"start_s": started, **ask(search, probes), "mib": anonymous_mib() - before}
        if bare is not None:
            both = [(ask(search, some)["p50_ms"], ask(bare, some)["p50_ms"]) for some in np.array_split(probes, 10)]
            told["bare_p50_ms"] = float(np.median([each[1] for each in both]))
            told["of_bare"] = float(np.median([each[0] / each[1] for each in both]))
        start = time.perf_counter()
        for number, vector in enumerate(probes[:ENROLLED]):
            new = NewTemplate(DEFAULT_GALLERY, f"new{number}", vector, ENCODER, "drawn", 0.5)
            runner.run(store.enroll(new, IfExists.REJECT))
        told["enrolled_a_second"] = ENROLLED / (time.perf_counter() - start)
        runner.run(store.close())
    return told


def bare_postgres(url: str) -> Search:
    """The query alone, prepared, on a connection of its own."""
    import psycopg
    from pgvector.psycopg import register_vector

    from app.gallery.postgres.connections import LOOKED_AT
    from app.gallery.postgres.gallery import EXACT, INDEXED

    connection = psycopg.connect(url, autocommit=True)
    register_vector(connection)
    connection.execute("SET hnsw.iterative_scan = strict_order")
    connection.execute(f"SET hnsw.ef_search = {LOOKED_AT}")
    (size,) = connection.execute("SELECT count(*) FROM templates").fetchone() or (0,)
    kept = f"vector::vector({INDEXED})" if size > EXACT else "vector"
    indexed = f"AND vector_dims(vector) = {INDEXED}" if size > EXACT else ""
    query = f"""SELECT identity, template_id, {kept} <#> %(probe)s AS apart FROM templates
    WHERE gallery = 'default' AND encoder_id = '{ENCODER}' {indexed} ORDER BY apart LIMIT {4 * TOP_K}"""

    def search(probe: NDArray[np.float32]) -> int:
        rows = connection.execute(query.encode(), {"probe": probe}, prepare=True).fetchall()
        return int(rows[0][1], 16)

    return search


def library(kind: str, templates: NDArray[np.float32], probes: NDArray[np.float32]) -> dict[str, Any]:
    """The same vectors in a library's index alone, without names, file or other processes."""
    before, start = anonymous_mib(), time.perf_counter()
    search, add = MAKERS[kind](templates.shape[1])
    for first in range(0, len(templates), CHUNK):
        add(first, np.array(templates[first : first + CHUNK]))
    return {"start_s": time.perf_counter() - start, **ask(search, probes), "mib": anonymous_mib() - before}


def faiss_flat(dimension: int) -> tuple[Search, Callable[[int, NDArray[np.float32]], Any]]:
    import faiss

    index: Any = faiss.IndexFlatIP(dimension)
    return lambda probe: int(index.search(probe[None], TOP_K)[1][0, 0]), lambda _, vectors: index.add(vectors)


def usearch_hnsw(dimension: int) -> tuple[Search, Callable[[int, NDArray[np.float32]], Any]]:
    from usearch.index import Index

    index = Index(ndim=dimension, metric="ip", dtype="f16")  # else its defaults
    return (
        lambda probe: int(index.search(probe, TOP_K).keys[0]),
        lambda first, vectors: index.add(np.arange(first, first + len(vectors)), vectors),
    )


MAKERS: Final = {"faiss flat": faiss_flat, "usearch": usearch_hnsw}


def main(kind: str, where: str, url: str = "") -> None:
    templates = np.load(Path(where) / "templates.npy", mmap_mode="r")  # the galleries have their own
    probes = np.load(Path(where) / "probes.npy")
    print(json.dumps(gallery(url, probes) if url else library(kind, templates, probes)))


if __name__ == "__main__":
    main(*sys.argv[1:])
