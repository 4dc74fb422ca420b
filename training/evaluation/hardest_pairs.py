"""The pairs that an encoder gets most wrong, as a page with their pictures: label errors show themselves there."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.crops import PreparedFaces
from training.data.splits import person_numbers

BLOCK = 1024


@dataclass(frozen=True)
class WorstPair:
    first: int  # row of the faces
    second: int
    similarity: float


def worst_pairs(
    vectors: NDArray[np.float32], people: Sequence[str], count: int
) -> tuple[list[WorstPair], list[WorstPair]]:
    """Of unit vectors (N, D): the `count` most similar impostor pairs, and the least similar genuine ones."""
    numbers = person_numbers(people)
    impostor: list[WorstPair] = []
    genuine: list[WorstPair] = []
    for start in range(0, len(vectors), BLOCK):
        scores = np.clip(vectors[start : start + BLOCK] @ vectors[start:].T, -1, 1)
        upper = np.triu(np.ones(scores.shape, bool), 1)
        same = numbers[start : start + BLOCK, None] == numbers[None, start:]
        impostor = _keep(impostor, np.where(upper & ~same, scores, -np.inf), start, count, highest=True)
        genuine = _keep(genuine, np.where(upper & same, scores, np.inf), start, count, highest=False)
    return impostor, genuine


def _keep(
    so_far: list[WorstPair], scores: NDArray[np.float32], start: int, count: int, *, highest: bool
) -> list[WorstPair]:
    sign = -1 if highest else 1
    flat = (sign * scores).ravel()
    chosen = np.argpartition(flat, min(count, len(flat) - 1))[:count]
    rows, columns = np.unravel_index(chosen[np.isfinite(flat[chosen])], scores.shape)
    found = [
        WorstPair(start + int(row), start + int(column), float(scores[row, column]))
        for row, column in zip(rows, columns, strict=True)
    ]
    return sorted(so_far + found, key=lambda pair: sign * pair.similarity)[:count]


def write_page(
    title: str,
    faces: PreparedFaces,
    rows: NDArray[np.int64],
    impostor: Sequence[WorstPair],
    genuine: Sequence[WorstPair],
    target: Path,
) -> None:
    """One HTML file, pictures inside; `rows` says which of the faces the pairs count."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>{html.escape(title)}</title>",
        "<style>body{font:14px system-ui;margin:2em;max-width:1200px}section{display:flex;flex-wrap:wrap;gap:12px}"
        "figure{margin:0;width:210px}img{width:100px;height:100px}figcaption{overflow-wrap:anywhere;color:#444}</style>",
        f"<h1>{html.escape(title)}</h1>",
    ]
    for heading, pairs in (
        ("Different people by their labels, most similar first", impostor),
        ("The same person by the labels, least similar first", genuine),
    ):
        parts.append(f"<h2>{heading}</h2><section>")
        for pair in pairs:
            pictures = "".join(_picture(faces, int(rows[row])) for row in (pair.first, pair.second))
            names = " and ".join(html.escape(faces.names[int(rows[row])]) for row in (pair.first, pair.second))
            parts.append(f"<figure>{pictures}<figcaption>{pair.similarity:.4f} {names}</figcaption></figure>")
        parts.append("</section>")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(parts))


def _picture(faces: PreparedFaces, row: int) -> str:
    stream = io.BytesIO()
    Image.fromarray(faces.central(np.array([row]))[0]).save(stream, "JPEG", quality=85)
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}">'
