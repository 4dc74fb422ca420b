"""Folders of photos and their lists, as the detector's sets have them."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

WIDER_LABELS = """\
0--Parade/crowd.jpg
6
10 20 50 60 0 0 0 0 0 0
10 20 50 43 0 0 0 0 0 0
10 20 50 60 0 0 0 1 0 0
10 20 50 60 0 0 0 0 2 0
10 20 44 44 2 1 1 0 1 1
10 20 0 60 0 0 0 0 0 0
0--Parade/empty.jpg
0
0 0 0 0 0 0 0 0 0 0
1--Handshaking/missing.jpg
1
10 20 50 60 0 0 0 0 0 0
1--Handshaking/pair.jpg
1
5 6 70 80 0 0 0 0 0 0
"""


def save_photo(path: Path) -> None:
    """A black photo of 20 pixels a side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 20)).save(path)


def write_crowds(folder: Path) -> Path:
    """Photos with labels as WIDER FACE has them; one photo is not there."""
    for name in ("0--Parade/crowd.jpg", "0--Parade/empty.jpg", "1--Handshaking/pair.jpg"):
        save_photo(folder / "images" / name)
    (folder / "labels.txt").write_text(WIDER_LABELS)
    return folder


def write_points(folder: Path, list_name: str, names: Sequence[str]) -> None:
    """One of MTFL's lists. The eyes are ever nearer, so the faces are turned ever more."""
    lines = []
    for number, name in enumerate(names):
        save_photo(folder / name)
        x = [40 - (20 - number), 40 + (20 - number), 40, 32, 48]
        lines.append(" ".join([name, *map(str, x), "30", "30", "45", "60", "60"]))
    (folder / list_name).write_text("\n".join(lines) + "\n")
