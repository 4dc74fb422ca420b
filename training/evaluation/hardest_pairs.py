"""The pairs that an encoder gets most wrong, as a page with their photos. Label errors show up there."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.prepared_faces import PreparedFaces
from training.data.splits import label_people

BLOCK: Final = 1024  # rows that are compared with all others at once


@dataclass(frozen=True)
class HardPair:
    """Two rows of the embeddings and their cosine."""

    first: int
    second: int
    similarity: float


def find_hardest_pairs(
    vectors: NDArray[np.float32], people: Sequence[str], count: int
) -> tuple[list[HardPair], list[HardPair]]:
    """The `count` most similar impostor pairs and the `count` least similar genuine pairs of unit vectors (N, D)."""
    labels = label_people(people)
    impostor: list[HardPair] = []
    genuine: list[HardPair] = []
    for start in range(0, len(vectors), BLOCK):
        scores = np.clip(vectors[start : start + BLOCK] @ vectors[start:].T, -1, 1)
        upper = np.triu(np.ones(scores.shape, bool), 1)
        same = labels[start : start + BLOCK, None] == labels[None, start:]
        impostor = _merge(impostor, np.where(upper & ~same, scores, -np.inf), start, count, highest=True)
        genuine = _merge(genuine, np.where(upper & same, scores, np.inf), start, count, highest=False)
    return impostor, genuine


def _merge(
    kept: list[HardPair], scores: NDArray[np.float32], start: int, count: int, *, highest: bool
) -> list[HardPair]:
    """The `count` hardest of the pairs kept so far and those of a block of scores, whose rows begin at `start`."""
    sign = -1 if highest else 1
    flat = (sign * scores).ravel()
    chosen = np.argpartition(flat, min(count, len(flat) - 1))[:count]
    rows, columns = np.unravel_index(chosen[np.isfinite(flat[chosen])], scores.shape)
    found = [
        HardPair(start + int(row), start + int(column), float(scores[row, column]))
        for row, column in zip(rows, columns, strict=True)
    ]
    return sorted(kept + found, key=lambda pair: sign * pair.similarity)[:count]


def write_html(
    title: str,
    faces: PreparedFaces,
    rows: NDArray[np.int64],
    impostor: Sequence[HardPair],
    genuine: Sequence[HardPair],
    target: Path,
) -> None:
    """Writes one HTML file with the photos embedded. Row i of a pair is row `rows[i]` of `faces`."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>{html.escape(title)}</title>",
        "<style>body{font:14px system-ui;margin:2em;max-width:1200px}section{display:flex;flex-wrap:wrap;gap:12px}"
        "figure{margin:0;width:210px}img{width:100px;height:100px}figcaption{overflow-wrap:anywhere;color:#444}</style>",
        f"<h1>{html.escape(title)}</h1>",
    ]
    for heading, pairs in (
        ("Impostor pairs (different people by their labels), most similar first", impostor),
        ("Genuine pairs (the same person by the labels), least similar first", genuine),
    ):
        parts.append(f"<h2>{heading}</h2><section>")
        for pair in pairs:
            photos = "".join(_embed_photo(faces, int(rows[row])) for row in (pair.first, pair.second))
            names = " and ".join(html.escape(faces.names[int(rows[row])]) for row in (pair.first, pair.second))
            parts.append(f"<figure>{photos}<figcaption>{pair.similarity:.4f} {names}</figcaption></figure>")
        parts.append("</section>")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(parts), encoding="utf-8")


def _embed_photo(faces: PreparedFaces, row: int) -> str:
    stream = io.BytesIO()
    Image.fromarray(faces.without_margin(np.array([row]))[0]).save(stream, "JPEG", quality=85)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}">'
