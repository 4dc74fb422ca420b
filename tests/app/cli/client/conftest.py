"""A service with fakes that listens, and photos for it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.fakes import BLUE, RED, REDDISH, picture
from tests.support.live import listen

Photos = Callable[[str], Path]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a service with fakes, which FACETWIN_URL names."""
    with listen(tmp_path) as url:
        monkeypatch.setenv("FACETWIN_URL", url)
        yield url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two people, with brackets in the names of their files."""
    folder = tmp_path / "photos [1]"
    for name, colour in (("ruby", RED), ("azure", BLUE)):
        (folder / name).mkdir(parents=True)
        (folder / name / "1 [bold].png").write_bytes(picture(colour))
    (folder / "ruby" / "2.png").write_bytes(picture(REDDISH))
    return folder


@pytest.fixture
def ruby(folder: Path) -> Path:
    return folder / "ruby" / "1 [bold].png"


@pytest.fixture
def ruby2(folder: Path) -> Path:
    return folder / "ruby" / "2.png"


@pytest.fixture
def azure(folder: Path) -> Path:
    return folder / "azure" / "1 [bold].png"
