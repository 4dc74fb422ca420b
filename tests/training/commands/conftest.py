"""Small folders of photos to run the commands on."""

from pathlib import Path

import pytest
from PIL import Image

from training.data.photos import Photo


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory, lfw: dict[str, Photo]) -> Path:
    """A user's folder: two photos each of thirty people."""
    folder = tmp_path_factory.mktemp("photos") / "album"
    by_person: dict[str, list[Photo]] = {}
    for photo in lfw.values():
        by_person.setdefault(photo.person, []).append(photo)
    chosen = [photos[:2] for photos in by_person.values() if len(photos) > 1][:30]
    for photo in (photo for photos in chosen for photo in photos):
        file = folder / photo.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(photo.read())
    return folder


@pytest.fixture(scope="session")
def three_photos(album: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos of one person and one of another."""
    folder = tmp_path_factory.mktemp("photos") / "three"
    for file in sorted(album.glob("*/*"))[:3]:
        copy = folder / file.relative_to(album)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    return folder


@pytest.fixture(scope="session")
def faceless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two grey pictures. The name of the folder has brackets that Rich would take for markup."""
    folder = tmp_path_factory.mktemp("photos") / "grey [bold]"
    for person in ("ada", "bob"):
        (folder / person).mkdir(parents=True)
        Image.new("RGB", (120, 120), "grey").save(folder / person / "1.png")
    return folder


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One build folder for all tests, so that the photos are prepared once."""
    return tmp_path_factory.mktemp("build")


@pytest.fixture(autouse=True)
def _without_lfw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The commands do not find LFW, and what they write by default goes to a temporary folder."""
    monkeypatch.setenv("FACETWIN_DATA", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)
